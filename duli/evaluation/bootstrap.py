"""Confidence intervals of measures that are not proportions: percentile bootstrap at 95 % (Efron
1979), the same on every run.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Counts = NDArray[np.integer[Any]]

RESAMPLES = 1000
SEED = 0
CHUNK = 50  # resamples at a time: limits the memory


def of_examples(statistic: Callable[..., Floats], *columns: NDArray[Any]) -> dict[str, float]:
    """A statistic of examples with its interval: columns of shape [n]; `statistic` maps columns
    [..., n] to [...].

    Without examples, value, low and high are NaN, which passes no gate.
    """
    n = len(columns[0])
    if n == 0:
        return {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    generator = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES // CHUNK):
        rows = generator.integers(0, n, (CHUNK, n))
        drawn.append(statistic(*(column[rows] for column in columns)))
    return _interval(float(statistic(*columns)), np.concatenate(drawn), n)


def of_counts(statistic: Callable[[Counts], Floats], counts: Counts) -> dict[str, float]:
    """A statistic of the occurrences of each cell of `counts` (any shape [*cells]), with its
    interval; `statistic` takes [..., *cells].

    Resampling n examples equals drawing n times from the cells by their shares, which costs the
    same for any n.
    """
    n = int(counts.sum())
    if n == 0:
        return {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    drawn = (
        np.random.default_rng(SEED)
        .multinomial(n, counts.ravel() / n, RESAMPLES)
        .reshape(RESAMPLES, *counts.shape)
    )
    return _interval(float(statistic(counts)), statistic(drawn), n)


def _interval(value: float, drawn: Floats, n: int) -> dict[str, float]:
    low, high = np.quantile(drawn, (0.025, 0.975))
    # A statistic with a bias (such as calibration error) may lie outside of its resampled range.
    return {"value": value, "low": min(value, float(low)), "high": max(value, float(high)), "n": n}
