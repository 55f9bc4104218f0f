"""Chooses the variant that ships, and says how well an export agrees with its original."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def choose(paired: Mapping[str, Any], max_drop: float) -> tuple[str, str]:
    """The variant that ships ("int8" or "fp32") and the reason in one sentence.

    `paired` is int8 against fp32 on the same examples: n, lost, won, and drop_points with the ends of its 95 % interval; `max_drop`
    is a share.
    """
    seen = f"int8 lost {paired['lost']} and won {paired['won']} of {paired['n']:,} validation examples"
    worst = paired["drop_points"]["high"]
    if worst <= max_drop * 100:
        return "int8", f"{seen}: at worst {worst:.2f} points (95 %), within the allowed {max_drop * 100:.2f}"
    return "fp32", f"{seen}: at worst {worst:.2f} points (95 %), more than the allowed {max_drop * 100:.2f}"


def agreement(exported: NDArray[np.float32], original: NDArray[np.float32]) -> dict[str, Any]:
    """How far two sets of logits [n, classes] are apart: the largest difference, and how many answers differ."""
    return {
        "max_logit_difference": float(np.abs(exported - original).max()),
        "disagreements": int((exported.argmax(axis=1) != original.argmax(axis=1)).sum()),
    }
