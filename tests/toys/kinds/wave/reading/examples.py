"""Waves: 16 samples each, float32 in little-endian order as bytes."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base.kinds import Bounds

SAMPLES = 16
FLOAT = 4  # bytes of a float32


class Kind:
    """Every example has as many `features`, its samples."""

    name = "wave"
    statistics = pa.schema([pa.field("peak", pa.float32(), nullable=False)])
    compared = ("peak",)
    named: ClassVar[dict[str, Any]] = {}
    rules: ClassVar[dict[str, Any]] = {}

    def __init__(self, features: int = SAMPLES) -> None:
        self.input = {"features": features}
        self.normalisation: dict[str, Any] = {}
        self._waves: list[NDArray[np.float32]] = []

    @classmethod
    def of(cls, dataset: Any, tokens: object) -> "Kind":
        """All waves are of one length."""
        return cls()

    def readable(self, contents: list[bytes | None]) -> NDArray[np.bool_]:
        """Which contents are waves."""
        return np.array([self._readable(content) for content in contents], bool)

    def describe(self, contents: list[bytes]) -> dict[str, Any]:
        """The column `statistics` of readable contents."""
        return {"peak": np.abs(self._samples(contents)).max(axis=1)}

    def seen(self, contents: list[bytes]) -> list[bytes]:
        """A network tells any two apart."""
        return contents

    def outlines(self, contents: list[bytes]) -> NDArray[np.uint8]:
        """Nothing."""
        return np.empty((len(contents), 0), np.uint8)

    def add(self, contents: list[bytes]) -> None:
        """Takes contents of the train split into the normalisation."""
        self._waves.append(self._samples(contents))

    def learn(self) -> None:
        """The standard deviation of all samples."""
        self.normalisation = {"std": float(np.concatenate(self._waves).std(dtype=np.float64))}

    def expected(self) -> dict[str, Bounds]:
        """What the columns of the prepared examples have to keep to."""
        size = self.input["features"] * FLOAT
        return {"bytes": Bounds(size, size), "peak": Bounds(0, None)}

    def arrays(self, contents: pa.ChunkedArray) -> NDArray[np.float32]:
        """float32 [n, features]."""
        return self._samples(contents.to_pylist())

    def _samples(self, contents: list[bytes]) -> NDArray[np.float32]:
        samples = np.frombuffer(b"".join(contents), "<f4")
        return samples.reshape(-1, self.input["features"]).astype(np.float32)

    def _readable(self, content: bytes | None) -> bool:
        if content is None or len(content) != self.input["features"] * FLOAT:
            return False
        return bool(np.isfinite(np.frombuffer(content, "<f4")).all())
