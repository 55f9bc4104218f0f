"""A made-up data set of people: bars to tell apart, with age, sex and site of whom they come from,
and worse images of some of them.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from duli.base import files
from duli.datasets.shared.sources import Folder, Source
from tests.evaluation.bars import bars

TITLE = "Bars drawn by people"
LICENCE = "CC0"
KIND = "image"
CLASSES = ("lying", "upright", "none")
SHAPE = (1, 12, 12)
COLUMNS = pa.schema(
    [("age", pa.float32()), ("sex", pa.string()), ("site", pa.string()), ("note", pa.string())]
)
SENSITIVE = ("sex", "age")
PARTS = {"train": 900, "test": 600}


def _content() -> bytes:
    """The one file of the data set: of women over 60 the images are mostly noise."""
    n = sum(PARTS.values())
    generator = np.random.default_rng(0)
    images, labels = bars(n, seed=5)
    age, woman = generator.integers(18, 90, n).astype(np.float32), generator.random(n) < 0.5
    age[::50] = np.nan
    hard = woman & (age > 60)
    images[hard] = np.where(
        generator.random((hard.sum(), 1, 12, 12)) < 0.5,
        generator.integers(0, 256, (hard.sum(), 1, 12, 12)),
        images[hard],
    )
    file = io.BytesIO()
    np.savez(
        file, images=images, labels=labels, age=age, woman=woman, site=generator.integers(0, 3, n)
    )
    return file.getvalue()


def write(folder: Path) -> None:
    """Puts the file of the data set into a folder and pins it."""
    content = _content()
    (folder / "people.npz").write_bytes(content)
    FILES["people.npz"] = (len(content), files.sha256(content))


FILES: dict[str, tuple[int, str]] = {}


def sources(local: Path | None) -> tuple[Source, ...]:
    assert local is not None
    return (Folder(local),)


def examples(folder: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """As many channels as `SHAPE` has: the image again and again."""
    with np.load(folder / "people.npz") as file:
        held = dict(file)
    start = 0
    for split, count in PARTS.items():
        part = slice(start, start + count)
        start += count
        images = np.repeat(held["images"][part], SHAPE[0], axis=1)
        yield pa.RecordBatch.from_pydict(
            {
                "id": [f"{split}-{index}" for index in range(count)],
                "split": [split] * count,
                "label": held["labels"][part].astype(np.int16),
                "content": [image.tobytes() for image in images],
                "age": pa.array(held["age"][part], from_pandas=True),
                "sex": np.where(held["woman"][part], "f", "m"),
                "site": [f"site {site}" for site in held["site"][part]],
                "note": [f"note {index}" for index in range(count)],
            }
        )
