"""Conditions for a plan to pay: the price, accuracy, cost of acquisition or number of customers at
which its NPV is zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from duli.economics.reasons import Code

Worth = Callable[[float], float]  # NPV as a function of one input, all else as planned


@dataclass(frozen=True)
class Needed:
    """The value at which the NPV is zero, or the reason why there is none."""

    value: float | None
    reason: Code | None = None


def at_zero(worth: Worth, low: float, high: float, better: Literal["more", "less"]) -> Needed:
    """The value between `low` and `high` from which (better: more) or up to which (better: less)
    the plan pays, by Brent's method.

    `worth` has to be monotonic. Where even the best end loses, or the worst end pays, there is no
    such value but a reason.
    """
    from scipy.optimize import brentq

    at_low, at_high = worth(low), worth(high)
    if not (math.isfinite(at_low) and math.isfinite(at_high)):
        return Needed(None, "not_finite_over_range")
    if at_low == at_high:
        return Needed(None, "no_effect")
    worst, best = (at_low, at_high) if better == "more" else (at_high, at_low)
    if best < 0:
        return Needed(None, "always_loses")
    if worst > 0:
        return Needed(None, "always_pays")
    return Needed(float(brentq(worth, low, high, xtol=1e-12, rtol=1e-12, maxiter=500)))


def rising(worth: Worth, start: float, most: float) -> float:
    """The first of `start` times 2, 4, 8, ... at which `worth` is not negative, at most `most`: an
    upper end for `at_zero`.
    """
    high = start
    while high < most and worth(high) < 0:
        high *= 2
    return min(high, most)
