"""Loudness as a target: a number from 0 on."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Targets:
    """One number (see `duli.base.tasks.Targets`)."""

    type = pa.float32()
    missing = float("nan")
    groups_there_are = 1
    facts: ClassVar[dict[str, Any]] = {}

    @classmethod
    def of(cls, dataset: Any) -> "Targets":
        """Those of any data set."""
        return cls()

    @classmethod
    def prepared(cls, stats: Mapping[str, Any]) -> "Targets":
        """Those of any prepared data."""
        return cls()

    def known(self, labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Which labels are a loudness, [n]."""
        return np.isfinite(labels) & (labels >= 0)

    def groups(self, labels: NDArray[Any]) -> NDArray[Any]:
        """One group of all."""
        return np.zeros(len(labels), np.int64)

    def array(self, labels: pa.ChunkedArray) -> NDArray[np.float32]:
        """float32 [n, 1]."""
        return labels.to_numpy().astype(np.float32)[:, None]

    def count(self, labels: NDArray[Any]) -> NDArray[np.float64]:
        """How many, and their sum."""
        return np.array([len(labels), labels.sum(dtype=np.float64)])

    def counted(self, counts: NDArray[np.float64]) -> dict[str, Any]:
        """The mean of a split."""
        return {"mean_loudness": counts[1] / counts[0]} if counts[0] else {}

    def columns(self, labels: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """The mean has to be alike in all splits."""
        return {"loudness": labels}

    def absent(self, splits: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
        """Nothing."""
        return {}

    def shown(self, splits: Mapping[str, Mapping[str, Any]]) -> None:
        """Nothing."""

    def expectations(self, gxe: Any) -> list[Any]:
        """No loudness is below 0."""
        return [gxe.ExpectColumnValuesToBeBetween(column="label", min_value=0)]

    def tables(self, examples: Any, bounds: Any, gxe: Any) -> dict[str, Any]:
        """None."""
        return {}
