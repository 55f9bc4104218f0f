"""Compares two releases by their answers to the same test examples."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base.intervals import Z95
from duli.tasks.classification.comparing.paired import Paired, paired

SIGNIFICANT = 0.05  # of McNemar's test, two-sided

Outputs = NDArray[np.float32]  # [n, classes]


class Compared:
    """A challenger beside the champion (see `duli.cli.promotion.Compared`)."""

    def __init__(self, found: Paired) -> None:
        self.paired = found
        self.difference = found.difference()

    @property
    def text(self) -> str:
        """The difference in percentage points, and McNemar's test."""
        found = self.paired
        value, low, high = (100 * self.difference[end] for end in ("value", "low", "high"))
        return (
            f"{value:+.3f} points ({low:+.3f} to {high:+.3f}, 95 %), won {found.won:,}, lost"
            f" {found.lost:,} of {found.n:,}, McNemar p = {found.p_value:.3g}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Wins, losses, McNemar's p and the difference of the accuracies."""
        found = self.paired
        return {
            "n": found.n,
            "lost": found.lost,
            "won": found.won,
            "p_value": found.p_value,
            "difference": self.difference,
        }

    def objections(
        self, not_worse_by: float, better_by: float | None, seed_noise: float
    ) -> list[str]:
        """The objections to the challenger.

        `not_worse_by` bounds the accuracy that may be lost, at the unfavourable end of the 95 %
        interval of the difference. `better_by`, unless it is None, is what has to be won at that
        end, and McNemar's test has to be significant. Two trainings that differ in nothing but
        their seed differ in accuracy too: by sqrt(2) times `seed_noise`, the standard deviation
        over seeds. What is claimed to be better has to be so beyond that: it widens the interval,
        in quadrature.
        """
        value, low = self.difference["value"], self.difference["low"]
        against = []
        if not low >= -not_worse_by:
            against.append(
                f"it may be worse by {-100 * low:.3f} points (95 %), and promotion.not_worse_by"
                f" allows {100 * not_worse_by:g}"
            )
        if better_by is not None:
            beyond_luck = value - math.hypot(value - low, Z95 * math.sqrt(2) * seed_noise)
            if not beyond_luck >= better_by:
                against.append(
                    f"it is certainly better by {100 * beyond_luck:.3f} points only (95 %, seed"
                    f" noise included), and promotion.better_by asks for {100 * better_by:g}"
                )
            if not self.paired.p_value < SIGNIFICANT:
                against.append(
                    f"McNemar's test sees no difference (p = {self.paired.p_value:.3g}), and"
                    " promotion.better_by asks for one"
                )
        return against


def compared(champion: Outputs, challenger: Outputs, labels: NDArray[Any]) -> Compared:
    """The challenger's outputs beside the champion's, for the same examples [n]."""
    return Compared(paired(champion.argmax(axis=1), challenger.argmax(axis=1), labels))


def disagreements(outputs: Outputs, others: Outputs) -> int:
    """The number of examples that get another answer."""
    return int((outputs.argmax(axis=1) != others.argmax(axis=1)).sum())
