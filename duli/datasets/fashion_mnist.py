"""Fashion-MNIST: 70,000 pictures of garments, 28 x 28 grey pixels, by Xiao, Rasul and Vollgraf of
Zalando (arXiv 1708.07747).
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from duli.datasets.shared import idx as _idx
from duli.datasets.shared.sources import DebianPackage, Folder, Mirror, Source

TITLE = "Fashion-MNIST garments"
LICENCE = "MIT"
TERMS = {
    "spdx": "MIT",
    "permits": (
        "use",
        "copying",
        "modification",
        "merging",
        "publication",
        "distribution",
        "sublicensing",
        "sale",
    ),
    "requires": ("notice",),
    "prohibits": (),
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
KIND = "image"
SHAPE = (1, 28, 28)  # channels, height, width
# What a release makes of a picture file: light on dark, all of it in the frame, as was done to the
# shop's photographs (section 2 there). None of the 70,000 is taken for a negative.
PICTURES = {"ground": "dark", "framing": "whole"}

# Name -> size in bytes and SHA-256 of the uncompressed IDX file.
FILES = {
    "train-images-idx3-ubyte": (
        47_040_016,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train-labels-idx1-ubyte": (
        60_008,
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "t10k-images-idx3-ubyte": (
        7_840_016,
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "t10k-labels-idx1-ubyte": (
        10_008,
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
PUBLIC_SOURCES: tuple[Source, ...] = (
    # The mirror of torchvision.datasets.FashionMNIST, then the copy that Debian and Ubuntu keep.
    Mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
    DebianPackage("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
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
