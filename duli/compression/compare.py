"""Says whether a variant stays within its bounds, and how well an export agrees with its
original.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def best(tried: Mapping[str, Mapping[str, Any]]) -> str:
    """Of int8 files calibrated in different ways the one that loses fewest answers, then the one
    whose logits are nearest.
    """
    return min(
        tried,
        key=lambda name: (tried[name]["lost"] - tried[name]["won"], tried[name]["logit_error"]),
    )


def within(
    paired: Mapping[str, Any],
    by_class: Mapping[str, Mapping[str, Any]],
    max_drop: float,
    max_class_drop: float,
) -> tuple[bool, str]:
    """Whether a variant loses no more accuracy than it may, and why in one sentence.

    `paired` is the variant against fp32 on the same examples: n, lost, won, and drop_points with
    the ends of its 95 % interval; `by_class` the same for the examples of each class. Both bounds
    are shares, and hold for the unfavourable ends; what is no number is out of bounds.
    """
    seen = f"lost {paired['lost']} and won {paired['won']} of {paired['n']:,} validation examples"
    worst = paired["drop_points"]["high"]
    weakest = worst_class(by_class)
    of_class = by_class[weakest]["drop_points"]["high"]
    if not worst <= max_drop * 100:
        return (
            False,
            (
                f"{seen}: at worst {worst:.2f} points (95 %), more than the allowed"
                f" {max_drop * 100:.2f}"
            ),
        )
    if not of_class <= max_class_drop * 100:
        return (
            False,
            (
                f"{seen}, of class {weakest} at worst {of_class:.2f} points (95 %), more than the"
                f" allowed {max_class_drop * 100:.2f}"
            ),
        )
    return (
        True,
        (
            f"{seen}: at worst {worst:.2f} points (95 %), within the allowed {max_drop * 100:.2f},"
            f" and {of_class:.2f} of class {weakest}, within {max_class_drop * 100:.2f}"
        ),
    )


def worst_class(by_class: Mapping[str, Mapping[str, Any]]) -> str:
    """The class that may lose most; what is no number counts as the worst there is."""
    return max(
        by_class, key=lambda name: np.nan_to_num(by_class[name]["drop_points"]["high"], nan=np.inf)
    )


def logit_error(logits: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Root of the mean squared difference of logits [n, classes]."""
    return float(np.sqrt(np.square(logits.astype(np.float64) - reference).mean()))
