"""Distribution shift between a split and train: its means against bounds from resampling both
together.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.validation.suite import Outcome

SEED = 0
RESAMPLES = 500
# The bound is the largest difference that any statistic had in any resampling, and a quarter more:
# a line without any shift is stopped less than once in a thousand times.
MARGIN = 1.25
MOST = 5_000  # examples resampled per split

SHOWN = 5  # of many that are out of bounds

# statistic -> [n]; NaN is a missing value
Columns = Mapping[str, NDArray[np.floating[Any]]]


class Compared(NamedTuple):
    """The mean of a statistic in a split, that in train, and what it has to lie between."""

    name: str
    value: float
    train: float
    low: float
    high: float

    @property
    def within(self) -> bool:
        """Whether the statistic is within its bounds."""
        return self.low <= self.value <= self.high

    @property
    def expected(self) -> str:
        """The bounds in words."""
        return f"{self.low:.4g} to {self.high:.4g} (train: {self.train:.4g})"


def compare(train: Columns, split: Columns, tolerance: float) -> list[Compared]:
    """Compares the mean of each statistic in a split with that in train, and the share missing.

    A permutation test (the largest difference of all statistics, in standard deviations of train
    and split together; Westfall and Young 1993) says how far chance alone moves them, whatever
    their distributions. Differences of up to `tolerance` standard deviations are allowed however
    many examples there are.
    """
    values, of_split = _filled(train, split)
    names, all_values = [*values], np.stack([*values.values()], axis=1)
    std = all_values.std(axis=0)
    scaled = (all_values - all_values.mean(axis=0)) / np.where(std > 0, std, 1)
    bound = np.maximum(tolerance, MARGIN * _by_chance(scaled[~of_split], scaled[of_split])) * std
    there, here = all_values[~of_split].mean(axis=0), all_values[of_split].mean(axis=0)
    # Rounding is no shift: means of a constant differ by it between splits.
    bound += 1e-9 * np.abs(there)
    rows = zip(names, here, there, there - bound, there + bound, strict=True)
    return [Compared(name, *map(float, numbers)) for name, *numbers in rows]


def _filled(
    train: Columns, split: Columns
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """The statistics of both, means where values are missing; and which rows are the split's."""
    filled: dict[str, NDArray[np.float64]] = {}
    for name in train:
        values = np.concatenate([train[name], split[name]]).astype(np.float64)
        missing = np.isnan(values)
        if missing.any():
            filled[f"{name}, share missing"] = missing.astype(np.float64)
            values = np.where(
                missing, values[~missing].mean() if not missing.all() else 0.0, values
            )
        filled[name] = values
    return filled, np.arange(len(values)) >= len(train[name])


def _by_chance(train: NDArray[np.float64], split: NDArray[np.float64]) -> float:
    """The largest difference of a mean when examples of both, [n, statistics], change places."""
    generator = np.random.default_rng(SEED)
    parts = [part[generator.permutation(len(part))[:MOST]] for part in (train, split)]
    both, size = np.concatenate(parts), len(parts[1])
    total, largest = both.sum(axis=0), 0.0
    for _ in range(RESAMPLES):
        drawn = both[generator.permutation(len(both))[:size]].sum(axis=0)
        difference = drawn / size - (total - drawn) / (len(both) - size)
        largest = max(largest, float(np.abs(difference).max()))
    return largest


def each(split: str, compared: Iterable[Compared]) -> list[Outcome]:
    """An outcome for each statistic of a split."""
    return [
        Outcome(
            "mean to be like that of train",
            split,
            one.name,
            one.within,
            f"{one.value:.4g}",
            one.expected,
        )
        for one in compared
    ]


def together(split: str, column: str, compared: Collection[Compared]) -> Outcome:
    """One outcome for many statistics of a split, which names those that are out of bounds."""
    out = [one for one in compared if not one.within]
    said = [f"{one.name} {one.value:.4g}, not {one.expected}" for one in out[:SHOWN]]
    if len(out) > SHOWN:
        said.append(f"and {len(out) - SHOWN:,} more")
    observed = "; ".join(said) or f"{len(compared):,} of {len(compared):,} are"
    return Outcome(
        "means to be like those of train",
        split,
        column,
        not out,
        observed,
        "all near those of train",
    )
