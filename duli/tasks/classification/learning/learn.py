"""Training of a classifier: its outputs, its loss, and its measures on the validation split."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from duli.base.errors import DataError
from duli.base.intervals import proportion
from duli.tasks.classification.learning import losses


class Learning:
    """Classes by name, one logit each (see `duli.training.loop.Task`)."""

    loss = staticmethod(losses.each)
    taught = staticmethod(losses.taught)

    def __init__(self, facts: Mapping[str, Any]) -> None:
        """`facts` is data/prepared/stats.json, or model.json."""
        self.classes: list[str] = facts["classes"]
        self.outputs = len(self.classes)
        self.facts = {"classes": self.classes}

    def check(self, split: str, targets: Tensor) -> None:
        """Raises `DataError` for a label that is no class.

        Cross-entropy would raise IndexError for some, and silently skip examples labelled -100.
        """
        wrong = ((targets < 0) | (targets >= self.outputs)).nonzero().flatten()
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                f"row {row} of the {split} split has label {int(targets[row])}, the {self.outputs}"
                f" classes are 0 to {self.outputs - 1} ({len(wrong)} such rows); correct the data"
                " and run `dvc repro`"
            )

    def sums(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy in nats and right answers, summed over the examples: [2]."""
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        return torch.stack((loss, (logits.argmax(dim=1) == labels).sum()))

    def scores(self, sums: Sequence[float], n: int) -> dict[str, float]:
        """The share of right answers, from what `sums` came to over `n` examples."""
        return {"validation_accuracy": sums[1] / n}

    def report(self, sums: Sequence[float], n: int) -> dict[str, Any]:
        """The same with its 95 % interval."""
        return {"validation_accuracy": proportion(int(sums[1]), n)}
