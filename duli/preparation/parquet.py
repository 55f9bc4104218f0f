"""Reads the prepared splits: Parquet files as tables, and their contents as arrays."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from duli.errors import DataError


@contextlib.contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """The file of one split; raises `DataError` where it is missing or damaged, also while it is read in the block.

    A flipped bit counts as damage, for `prepare` writes a checksum with every page.

    Not `pq.read_table`, which imports pyarrow.dataset and pandas first (0.3 s).
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} cannot be read ({str(error).splitlines()[0]}); delete it and run `dvc repro`") from None


def examples(path: Path, shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All of one split as `arrays` gives it; raises `DataError` as `opened` does."""
    with opened(path) as file:
        return arrays(file.read(columns=["label", "content"]), shape)


def arrays(rows: pa.Table, shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Contents as uint8 [n, channels, height, width] and labels as int64 [n]; no copy of the contents per row.

    Raises `DataError` where a content does not have the size of `shape`.
    """
    size = int(np.prod(shape))
    contents = []
    for chunk in rows["content"].chunks:
        offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        if not (np.diff(offsets) == size).all():
            raise DataError(f"a prepared example does not have {size} bytes; delete data/prepared and run `dvc repro`")
        # All of the same size, one behind the other: the buffer already is the array.
        contents.append(np.frombuffer(chunk.buffers()[2], np.uint8, count=len(chunk) * size, offset=int(offsets[0])))
    flat = np.concatenate(contents) if contents else np.empty(0, np.uint8)
    return flat.reshape(-1, *shape), rows["label"].to_numpy().astype(np.int64)
