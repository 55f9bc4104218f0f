"""Compares two variants of a model on the same examples, and chooses the one that ships."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.intervals import Z95


@dataclass(frozen=True)
class Paired:
    """Answers of a variant against those of the reference on the same n examples.

    `drop` is the reference's accuracy minus the variant's, as a fraction, with its 95 % interval.
    """

    n: int
    lost: int  # the reference was right, the variant is wrong
    won: int  # the other way round
    drop: float
    drop_low: float
    drop_high: float


def paired(reference: NDArray[np.int64], variant: NDArray[np.int64], labels: NDArray[np.int64]) -> Paired:
    """Counts wins and losses; predictions and labels are int64 [n].

    The interval is Agresti and Min's (2005) for a difference of paired proportions: Wald's after adding half an
    observation to each cell of the two-by-two table, so that no disagreement still has a width.
    """
    lost = int(((reference == labels) & (variant != labels)).sum())
    won = int(((reference != labels) & (variant == labels)).sum())
    n = len(labels)
    centre = (lost - won) / (n + 2)
    half = Z95 * ((lost + won + 1) - (lost - won) ** 2 / (n + 2)) ** 0.5 / (n + 2)
    return Paired(n, lost, won, (lost - won) / n, centre - half, centre + half)


def points(drop: Paired) -> dict[str, float]:
    """As reports show it: the drop in percentage points."""
    return {
        "n": drop.n,
        "lost": drop.lost,
        "won": drop.won,
        "drop_points": drop.drop * 100,
        "drop_points_low": drop.drop_low * 100,
        "drop_points_high": drop.drop_high * 100,
    }


def choose(drop: Paired, max_drop: float) -> tuple[str, str]:
    """The variant that ships ("int8" or "fp32") and the reason in one sentence."""
    seen = f"int8 lost {drop.lost} and won {drop.won} of {drop.n:,} validation examples"
    worst = f"at worst {drop.drop_high * 100:.2f} points (95 %)"
    if drop.drop_high <= max_drop:
        return "int8", f"{seen}: {worst}, within the allowed {max_drop * 100:.2f}"
    return "fp32", f"{seen}: {worst}, more than the allowed {max_drop * 100:.2f}"


def agreement(exported: NDArray[np.float32], original: NDArray[np.float32]) -> dict[str, Any]:
    """How far two sets of logits [n, classes] are apart: the largest difference, and how many answers differ."""
    return {
        "max_logit_difference": float(np.abs(exported - original).max()),
        "disagreements": int((exported.argmax(axis=1) != original.argmax(axis=1)).sum()),
    }
