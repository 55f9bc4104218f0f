"""Reads the prepared splits: Parquet files as tables, and their contents as arrays."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.base.kinds import Kind
from duli.base.tasks import Targets


@contextlib.contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """The file of one split; raises `DataError` if it is missing or damaged, also while it is read
    in the block.

    A flipped bit counts as damage, for `prepare` writes a checksum with every page.

    Not `pq.read_table`, which imports pyarrow.dataset and pandas first (0.3 s).
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); delete it and run `dvc repro`"
        ) from None


def examples(path: Path, kind: Kind, targets: Targets) -> tuple[NDArray[Any], NDArray[Any]]:
    """A whole split as `arrays` gives it; raises `DataError` as `opened` does."""
    with opened(path) as file:
        return arrays(file.read(columns=["label", "content"]), kind, targets)


def arrays(rows: pa.Table, kind: Kind, targets: Targets) -> tuple[NDArray[Any], NDArray[Any]]:
    """Contents as the array of their kind [n, ...] and targets as that of the task [n].

    Raises `DataError` if a content is not of that kind.
    """
    return kind.arrays(rows["content"]), targets.array(rows["label"])
