"""Images of one size: the form of their bytes, their properties, and their conversion to arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base.bounds import Bounds
from duli.base.errors import DataError

OUTLINE = 16  # pixels a side of what is compared of a picture
SMALLEST = 8  # a side with fewer pixels has no outline

STATISTICS = pa.schema(
    [
        pa.field("height", pa.int16(), nullable=False),
        pa.field("width", pa.int16(), nullable=False),
        pa.field("mean", pa.float32(), nullable=False),
        pa.field("std", pa.float32(), nullable=False),
        pa.field("min", pa.uint8(), nullable=False),
        pa.field("max", pa.uint8(), nullable=False),
    ]
)


class Kind:
    """Pixels 0..255 as bytes, channels then rows then columns; `channels`, `height` and `width` are
    those of every example.
    """

    name = "image"
    statistics = STATISTICS
    compared = ("mean", "std")

    def __init__(
        self, channels: int, height: int, width: int, pictures: Mapping[str, Any] | None = None
    ) -> None:
        self.pictures = pictures
        self.shape = (channels, height, width)
        self.size = channels * height * width  # bytes of one example
        # Of all pixels added; integers, so that nothing depends on how the rows were batched.
        self.pixels = self.total = self.squares = 0
        self.normalisation: dict[str, Any] = {}
        self.rules: dict[str, Any] = {}

    @classmethod
    def of(cls, dataset: Any, tokens: object) -> "Kind":
        """The kind for a data set, which states its SHAPE and what its PICTURES have in common."""
        channels, height, width = dataset.SHAPE
        return cls(channels, height, width, getattr(dataset, "PICTURES", None))

    @property
    def input(self) -> dict[str, int]:
        """The input size of the network."""
        return dict(zip(("channels", "height", "width"), self.shape, strict=True))

    @property
    def named(self) -> dict[str, Any]:
        """The common properties of the pictures."""
        return {"pictures": self.pictures} if self.pictures else {}

    def readable(self, contents: list[bytes | None]) -> NDArray[np.bool_]:
        """Whether each content is such an image."""
        return np.array(
            [content is not None and len(content) == self.size for content in contents], bool
        )

    def describe(self, contents: list[bytes]) -> dict[str, Any]:
        """The columns `statistics` of readable contents."""
        pixels = np.frombuffer(b"".join(contents), np.uint8).reshape(len(contents), self.size)
        _, height, width = self.shape
        # Sums of integers: exact, and an eighth of the memory that a mean in float64 takes.
        means = pixels.sum(axis=1, dtype=np.int64) / self.size
        squares = np.square(pixels, dtype=np.uint16).sum(axis=1, dtype=np.int64) / self.size
        return {
            "height": np.full(len(contents), height, np.int16),
            "width": np.full(len(contents), width, np.int16),
            "mean": means,
            "std": np.sqrt(squares - means**2),
            "min": pixels.min(axis=1),
            "max": pixels.max(axis=1),
        }

    def seen(self, contents: list[bytes]) -> list[bytes]:
        """The part of readable contents that a model can tell apart: every pixel."""
        return contents

    def outlines(self, contents: list[bytes]) -> NDArray[np.uint8]:
        """The pictures in at most 16 x 16 pixels, each the mean of those it stands for, [n,
        values].

        Tiny pictures have no values.
        """
        _, height, width = self.shape
        if min(height, width) < SMALLEST:
            return np.empty((len(contents), 0), np.uint8)
        values = self.shape[0] * min(OUTLINE, height) * min(OUTLINE, width)
        pixels = np.frombuffer(b"".join(contents), np.uint8).reshape(len(contents), *self.shape)
        rows, columns = _blocks(height), _blocks(width)
        # Sums of integers, exact in float32.
        sums = rows @ pixels.astype(np.float32) @ columns.T
        means = sums / np.outer(rows.sum(axis=1), columns.sum(axis=1))
        return np.rint(means).astype(np.uint8).reshape(len(contents), values)

    def add(self, contents: list[bytes]) -> None:
        """Takes contents of the train split into the normalisation."""
        pixels = np.frombuffer(b"".join(contents), np.uint8)
        counts = np.bincount(pixels, minlength=256)
        self.pixels += pixels.size
        self.total += int(counts @ np.arange(256))
        self.squares += int(counts @ np.arange(256) ** 2)

    def learn(self) -> None:
        """Mean and standard deviation of all pixels added, scaled to 0..1."""
        mean = self.total / self.pixels
        self.normalisation = {
            "mean": mean / 255,
            "std": (self.squares / self.pixels - mean**2) ** 0.5 / 255,
        }

    def expected(self) -> dict[str, Bounds]:
        """Bounds for the columns of the prepared examples, including their length in bytes."""
        _, height, width = self.shape
        return {
            "bytes": Bounds(self.size, self.size),
            "height": Bounds(height, height),
            "width": Bounds(width, width),
            "min": Bounds(0, 255),
            "max": Bounds(1, 255),  # an all-black image shows nothing
            "mean": Bounds(0, 255, strict=True),
            "std": Bounds(0, 127.5, strict=True),
        }

    def arrays(self, contents: pa.ChunkedArray) -> NDArray[np.uint8]:
        """uint8 [n, channels, height, width]; no copy of the contents per row. Raises `DataError`
        if one has another size.
        """
        parts = []
        for chunk in contents.chunks:
            offsets = np.frombuffer(chunk.buffers()[1], np.int32)[
                chunk.offset : chunk.offset + len(chunk) + 1
            ]
            if not (np.diff(offsets) == self.size).all():
                raise DataError(
                    f"a prepared example does not have {self.size} bytes; delete data/prepared and"
                    " run `dvc repro`"
                )
            # All of the same size, one behind the other: the buffer already is the array.
            parts.append(
                np.frombuffer(
                    chunk.buffers()[2],
                    np.uint8,
                    count=len(chunk) * self.size,
                    offset=int(offsets[0]),
                )
            )
        flat = np.concatenate(parts) if parts else np.empty(0, np.uint8)
        return flat.reshape(-1, *self.shape)


def _blocks(side: int) -> NDArray[np.float32]:
    """The map from pixels of a side to pixels of its outline, [side of the outline, side], as 0 and
    1.
    """
    size = min(OUTLINE, side)
    blocks: NDArray[np.float32] = (
        np.arange(size)[:, None] == np.arange(side) * size // side
    ).astype(np.float32)
    return blocks
