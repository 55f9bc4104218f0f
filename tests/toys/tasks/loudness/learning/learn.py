"""How the toy learns: one output, the squared error, and the absolute one on validation."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from duli.base.errors import DataError


class Learning:
    """One number an example (see `duli.training.loop.Task`)."""

    outputs = 1

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts: dict[str, Any] = {}

    def check(self, split: str, targets: Tensor) -> None:
        """Raises `DataError` for a target that is not finite."""
        if not bool(targets.isfinite().all()):
            raise DataError(f"the {split} split has a target that is no finite number")

    def loss(self, outputs: Tensor, targets: Tensor, settings: Any) -> Tensor:
        """The squared error of each example [n]."""
        return (outputs.float() - targets)[:, 0].square()

    def taught(self, outputs: Tensor, teacher: Tensor, targets: Tensor, settings: Any) -> Tensor:
        """The mean of the squared errors against target and teacher, [n]."""
        soft = (outputs.float() - teacher.float())[:, 0].square()
        return (self.loss(outputs, targets, settings) + soft) / 2

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error, absolute error, and its square, summed: [3]."""
        error = (outputs - targets)[:, 0].abs()
        return torch.stack((error.square().sum(), error.sum(), error.square().sum()))

    def scores(self, sums: Sequence[float], n: int) -> dict[str, float]:
        """The mean absolute error."""
        return {"validation_mean_absolute_error": sums[1] / n}

    def report(self, sums: Sequence[float], n: int) -> dict[str, Any]:
        """The same with its 95 % interval, by the normal approximation."""
        mean = sums[1] / n
        half = 1.96 * max(0.0, sums[2] / n - mean**2) ** 0.5 / n**0.5
        return {
            "validation_mean_absolute_error": {
                "value": mean,
                "low": mean - half,
                "high": mean + half,
                "n": n,
            }
        }
