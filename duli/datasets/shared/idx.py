"""The IDX format of MNIST, and of the data sets that took over its files' names."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from duli.base.errors import DataError

PARTS = (
    ("train", "train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("test", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
# magic numbers of the format: unsigned bytes in three dimensions, in one
IMAGES, LABELS = 2051, 2049


def examples(folder: Path, rows: int, shape: tuple[int, int, int]) -> Iterator[pa.RecordBatch]:
    """The four files' examples in batches of at most `rows`: id, published split, label, content
    (height x width bytes).

    `shape` is channels (one), height, width. Raises `DataError` if a file is not the IDX file it
    should be.
    """
    for split, images_name, labels_name in PARTS:
        with (
            (folder / images_name).open("rb") as images,
            (folder / labels_name).open("rb") as labels,
        ):
            count, height, width = _header(images, images_name, IMAGES, dimensions=3)
            (label_count,) = _header(labels, labels_name, LABELS, dimensions=1)
            if (1, height, width) != shape:
                raise DataError(
                    f"{images_name} holds images of {height} x {width}, not {shape[1]} x"
                    f" {shape[2]}; fetch it again"
                )
            if count != label_count:
                raise DataError(
                    f"{images_name} has {count} images but {labels_name} has {label_count} labels;"
                    " fetch both again"
                )
            for start in range(0, count, rows):
                size = min(rows, count - start)
                pixels = _exactly(images, images_name, size * height * width)
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.array([f"{split}-{index:05d}" for index in range(start, start + size)]),
                        pa.array([split] * size),
                        pa.array(
                            np.frombuffer(_exactly(labels, labels_name, size), np.uint8).astype(
                                np.int16
                            )
                        ),
                        pa.FixedSizeBinaryArray.from_buffers(
                            pa.binary(height * width), size, [None, pa.py_buffer(pixels)]
                        ),
                    ],
                    names=["id", "split", "label", "content"],
                )
            for file, name in ((images, images_name), (labels, labels_name)):
                if file.read(1):
                    raise DataError(f"{name} is longer than its header says; fetch it again")


def _header(file: BinaryIO, name: str, magic: int, dimensions: int) -> tuple[int, ...]:
    numbers = np.frombuffer(_exactly(file, name, 4 * (1 + dimensions)), ">u4").tolist()
    if numbers[0] != magic:
        raise DataError(
            f"{name} starts with {numbers[0]} where an IDX file of this kind has {magic}; fetch it"
            " again"
        )
    return tuple(numbers[1:])


def _exactly(file: BinaryIO, name: str, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise DataError(f"{name} ends {size - len(content)} bytes early; fetch it again")
    return content
