"""Rows of numbers: the form of their bytes, their properties, and their conversion to arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base.bounds import Bounds
from duli.base.errors import DataError

FLOAT = 4  # bytes of a float32
STATISTICS = pa.schema([pa.field("missing", pa.int32(), nullable=False)])


class Kind:
    """float32 in little-endian order as bytes, one of each feature; NaN is a value that is missing.

    Of a feature that is `centred`, offset and scale, they are (value - offset) / scale: float32
    does not hold its values as they are.
    """

    name = "table"
    statistics = STATISTICS
    compared = ("missing",)

    def __init__(
        self,
        features: int,
        names: Sequence[str] = (),
        centred: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.features, self.names, self.centred = features, names, centred or {}
        self._rows: list[NDArray[np.float32]] = []
        self.normalisation: dict[str, Any] = {}
        self.rules: dict[str, Any] = {}

    @classmethod
    def of(cls, dataset: Any, tokens: object) -> "Kind":
        """The kind for a data set, which names its FEATURES and those that are CENTRED."""
        return cls(len(dataset.FEATURES), dataset.FEATURES, getattr(dataset, "CENTRED", None))

    @property
    def input(self) -> dict[str, int]:
        """The input size of the network."""
        return {"features": self.features}

    @property
    def named(self) -> dict[str, Any]:
        """The features in order, for clients that name them, and the offsets of the
        centred ones.
        """
        centred = {name: list(place) for name, place in self.centred.items()}
        return {"features": list(self.names), **({"centred": centred} if centred else {})}

    def readable(self, contents: list[bytes | None]) -> NDArray[np.bool_]:
        """Whether each content is such a row, with at least one number."""
        return np.array(
            [content is not None and self._readable(content) for content in contents], bool
        )

    def describe(self, contents: list[bytes]) -> dict[str, Any]:
        """The columns `statistics` of readable contents."""
        return {"missing": np.isnan(self._numbers(contents)).sum(axis=1).astype(np.int32)}

    def seen(self, contents: list[bytes]) -> list[bytes]:
        """The part of readable contents that a model can tell apart: the numbers; 0 and -0 are one,
        as are all NaN.
        """
        numbers = self._numbers(contents)
        numbers = np.where(np.isnan(numbers), np.float32(np.nan), numbers + np.float32(0))
        return [row.tobytes() for row in numbers]

    def outlines(self, contents: list[bytes]) -> NDArray[np.uint8]:
        """None: two rows are the same to a model, or they are not."""
        return np.empty((len(contents), 0), np.uint8)

    def add(self, contents: list[bytes]) -> None:
        """Takes contents of the train split into the normalisation."""
        self._rows.append(self._numbers(contents))

    def learn(self) -> None:
        """Mean and standard deviation of each feature, missing values apart; a feature that never
        changes has deviation 1.
        """
        values = np.concatenate(self._rows).astype(np.float64)
        there = ~np.isnan(values)
        known = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, values, 0).sum(axis=0) / known
        std = np.sqrt((np.where(there, values - mean, 0) ** 2).sum(axis=0) / known)
        self.normalisation = {"mean": mean.tolist(), "std": np.where(std > 0, std, 1).tolist()}

    def expected(self) -> dict[str, Bounds]:
        """Bounds for the columns of the prepared examples, including their length in bytes."""
        size = self.features * FLOAT
        return {"bytes": Bounds(size, size), "missing": Bounds(0, self.features - 1)}

    def arrays(self, contents: pa.ChunkedArray) -> NDArray[np.float32]:
        """float32 [n, features]. Raises `DataError` if an example has another number of
        features.
        """
        whole = contents.to_pylist()
        if not all(len(content) == self.features * FLOAT for content in whole):
            raise DataError(
                f"a prepared example does not have {self.features} numbers; delete data/prepared"
                " and run `dvc repro`"
            )
        return self._numbers(whole)

    def _numbers(self, contents: list[bytes]) -> NDArray[np.float32]:
        return (
            np.frombuffer(b"".join(contents), "<f4").reshape(-1, self.features).astype(np.float32)
        )

    def _readable(self, content: bytes) -> bool:
        if len(content) != self.features * FLOAT:
            return False
        numbers = np.frombuffer(content, "<f4")
        return bool(np.isfinite(numbers).any() and not np.isinf(numbers).any())
