"""Columns that say which row it is, or tell the classes apart by themselves, and so may be no
features.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# whole numbers that float64 does not hold, and that nobody counts to: keys and hashes
LARGE = (2**53, 2**64)
# e to the power of minus this: how likely as many random whole numbers of that range are all
# different
BY_CHANCE = 7.0
AGAIN = 100  # one in so many may be there again
# 1990 to 2100 in s, ms, us and ns
TIMES = [(631_152_000 * unit, 4_102_444_800 * unit) for unit in (1, 10**3, 10**6, 10**9)]
ROWS, FOLDS, BINS = 2000, 5, 64
SHARE = 0.1  # of the mistakes of always naming the most frequent class


def counts_rows(values: "NDArray[np.float64]") -> bool:
    """Whether a column numbers the rows, in any order and with gaps: whole numbers, each of them
    once, and too close for chance.

    Measured numbers repeat themselves where they lie so close (the birthday paradox): of n numbers
    out of a range r all are different with a probability of about exp(-n^2 / 2r). So one in AGAIN
    may come again, as rows that somebody copied do, if by chance more would. Times since 1970 do
    not count: they may come at every tick. NaN is missing.
    """
    import numpy as np

    known = values[~np.isnan(values)]
    n = len(known)
    if (
        n < 2
        or n < len(values) / 2
        or not np.isfinite(known).all()
        or (known != np.floor(known)).any()
    ):
        return False
    low, high = float(known.min()), float(known.max())
    again = n - len(np.unique(known))
    if again > n / AGAIN or any(first <= low and high <= last for first, last in TIMES):
        return False
    with np.errstate(over="ignore"):
        in_order = bool((np.diff(known) == 1).all())
    if not again and (in_order or LARGE[0] < max(-low, high) <= LARGE[1]):
        return True
    usual = n * n / (2 * (high - low + 1))  # pairs of equal numbers, by chance
    # Chernoff's bound on a Poisson variable: so few come with a probability of e^-BY_CHANCE at
    # most.
    fewer = usual - again + (again * math.log(again / usual) if again else 0)
    return again < usual and fewer > BY_CHANCE


def alone(values: "NDArray[np.float64]", labels: "NDArray[np.int64]") -> tuple[int, int] | None:
    """(right, n) where this column by itself tells the classes apart, by cross-validation; None
    where it does not.

    By the most frequent class of each of BINS ranges that hold as many training rows, on at most
    ROWS rows drawn at random.
    """
    import numpy as np

    order = np.random.default_rng(0).permutation(len(values))[:ROWS]
    values, labels = values[order], labels[order]
    n, counts = len(labels), np.bincount(labels)
    right = 0
    for fold in range(FOLDS):
        tested = np.arange(n) % FOLDS == fold
        known = np.sort(values[~tested & np.isfinite(values)])
        edges = (
            np.unique(known[np.linspace(0, len(known) - 1, BINS + 1).astype(int)[1:-1]])
            if len(known)
            else known
        )
        ranges = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
        seen = np.zeros((len(edges) + 2, len(counts)))
        np.add.at(seen, (ranges[~tested], labels[~tested]), 1)
        seen[seen.sum(axis=1) == 0] = counts
        right += int((seen.argmax(axis=1)[ranges[tested]] == labels[tested]).sum())
    return (right, n) if n - right <= SHARE * (n - counts.max()) else None
