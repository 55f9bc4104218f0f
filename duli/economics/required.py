"""What would have to be true: the price, accuracy, cost of acquisition or number of customers at
which a plan just pays.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Worth = Callable[[float], float]  # NPV as a function of one input, all else as planned


@dataclass(frozen=True)
class Needed:
    """Where the NPV is zero, or in words why it never is."""

    value: float | None
    reason: str


def at_zero(
    worth: Worth, low: float, high: float, better: Literal["more", "less"], name: str
) -> Needed:
    """The value between `low` and `high` from which (better: more) or up to which (better: less)
    the plan pays, by Brent's method.

    `worth` has to be monotonic. Where even the best end loses, or the worst end pays, there is no
    such value but a reason; where both ends are worth the same, `name` does not move the plan.
    """
    from scipy.optimize import brentq

    at_low, at_high = worth(low), worth(high)
    if not (math.isfinite(at_low) and math.isfinite(at_high)):
        return Needed(None, f"the value of the plan is not finite over the range of {name}")
    if at_low == at_high:
        return Needed(None, f"{name} does not change what the plan is worth")
    worst, best = (at_low, at_high) if better == "more" else (at_high, at_low)
    if best < 0:
        return Needed(
            None,
            f"the plan is worth less than nothing whatever {name} is, within all that is possible",
        )
    if worst > 0:
        return Needed(
            None,
            f"the plan is worth more than nothing whatever {name} is, within all that is possible",
        )
    return Needed(float(brentq(worth, low, high, xtol=1e-12, rtol=1e-12, maxiter=500)), "")


def rising(worth: Worth, start: float, most: float) -> float:
    """The first of `start` times 2, 4, 8, ... at which `worth` is not negative, at most `most`: an
    upper end for `at_zero`.
    """
    high = start
    while high < most and worth(high) < 0:
        high *= 2
    return min(high, most)
