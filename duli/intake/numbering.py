"""Finds columns that number the rows, which may not be features."""

import math

import numpy as np
from numpy.typing import NDArray

# integers beyond float64's exact range: keys and hashes, not counts
LARGE = (2**53, 2**64)
# The exponent of the probability e^-x that as many random integers of that range are all different.
BY_CHANCE = 7.0
AGAIN = 100  # one in this many may repeat
# 1990 to 2100 in s, ms, us and ns
TIMES = [(631_152_000 * unit, 4_102_444_800 * unit) for unit in (1, 10**3, 10**6, 10**9)]


def counts_rows(values: NDArray[np.float64]) -> bool:
    """Whether a column numbers the rows, in any order and with gaps: distinct whole numbers, too
    close together for chance.

    Measured numbers repeat themselves if they lie so close (the birthday paradox): of n numbers
    out of a range r all are different with a probability of about exp(-n^2 / 2r). So one in AGAIN
    may come again, as rows that somebody copied do, if by chance more would. Times since 1970 do
    not count: they may come at every tick. NaN is missing.
    """
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
