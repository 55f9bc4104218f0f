"""Rows corrupted as by worse instruments or careless entry."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOISE = 0.25  # noise in standard deviations of a feature
GONE = 0.1  # share of the values that are removed
FAR = 5  # offset of an outlier in standard deviations

Rows = NDArray[np.float32]
Way = Callable[[Rows, Rows, np.random.Generator], NDArray[Any]]


def _noise(rows: Rows, std: Rows, generator: np.random.Generator) -> NDArray[Any]:
    return rows + NOISE * std * generator.standard_normal(rows.shape)


def _missing(rows: Rows, std: Rows, generator: np.random.Generator) -> NDArray[Any]:
    return np.where(generator.random(rows.shape) < GONE, np.nan, rows)


def _outlier(rows: Rows, std: Rows, generator: np.random.Generator) -> NDArray[Any]:
    far, at = rows.copy(), generator.integers(rows.shape[1], size=len(rows))
    far[np.arange(len(rows)), at] += (
        FAR * std[at] * np.where(generator.random(len(rows)) < 0.5, -1, 1)
    )
    return far


def _rounded(rows: Rows, std: Rows, generator: np.random.Generator) -> NDArray[Any]:
    return np.round(rows / std) * std


WAYS: dict[str, Way] = {
    "noise": _noise,
    "missing_values": _missing,
    "one_outlier": _outlier,
    "coarse_rounding": _rounded,
}


def spoilt(name: str, rows: Rows, std: Rows, seed: int) -> Rows:
    """`rows` [n, features] spoilt in the way `name`; `std` [features] is how much each feature
    varies.
    """
    return np.asarray(WAYS[name](rows, std, np.random.default_rng(seed)), np.float32)
