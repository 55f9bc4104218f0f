"""Compares two releases of the toy by their errors on the same test examples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.evaluation import bootstrap

Outputs = NDArray[np.float32]  # [n, 1]


class Compared:
    """A challenger beside the champion (see `duli.cli.promotion.Compared`)."""

    def __init__(self, grown: NDArray[np.float64]) -> None:
        self.facts: dict[str, Any] = bootstrap.of_examples(
            lambda errors: errors.mean(axis=-1), grown
        )

    @property
    def text(self) -> str:
        """By how much the error grows."""
        value, low, high = (self.facts[end] for end in ("value", "low", "high"))
        return f"the error grows by {value:+.4f} ({low:+.4f} to {high:+.4f}, 95 %)"

    def objections(
        self, not_worse_by: float, better_by: float | None, seed_noise: float
    ) -> list[str]:
        """That the error may grow by more than is allowed."""
        high = self.facts["high"]
        return [f"the error may grow by {high:.4f}"] if high > not_worse_by else []


def compared(champion: Outputs, challenger: Outputs, labels: NDArray[Any]) -> Compared:
    """The growth of the absolute error of each example."""
    theirs, ours = (np.abs(outputs - labels)[:, 0] for outputs in (champion, challenger))
    return Compared((ours - theirs).astype(np.float64))


def disagreements(outputs: Outputs, others: Outputs) -> int:
    """None: outputs are the answers."""
    return 0
