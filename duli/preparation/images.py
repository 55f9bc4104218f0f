"""Prepared rows as arrays: what training, evaluation and quantization take."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def arrays(rows: pa.Table, shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Contents as uint8 [n, channels, height, width] and labels as int64 [n]; no copy of the contents per row."""
    size = int(np.prod(shape))
    column = rows["content"].combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    # All contents of the prepared table have the same size, so the value buffer is already the array.
    contents = [
        np.frombuffer(chunk.buffers()[2], np.uint8, count=len(chunk) * size, offset=_first_byte(chunk)) for chunk in chunks if len(chunk)
    ]
    flat = np.concatenate(contents) if contents else np.empty(0, np.uint8)
    return flat.reshape(-1, *shape), rows["label"].to_numpy().astype(np.int64)


def _first_byte(column: pa.BinaryArray) -> int:
    return int(np.frombuffer(column.buffers()[1], np.int32)[column.offset])
