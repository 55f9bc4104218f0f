"""The effect of compression on a classifier's answers: each variant against the float32 export."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.base.intervals import proportion
from duli.tasks.classification.comparing.paired import agreement, paired

Logits = NDArray[np.float32]  # [n, classes]
Labels = NDArray[np.int64]  # [n]


class Judged(NamedTuple):
    """A variant compared with the export on the same examples."""

    facts: dict[str, Any]  # of the variant in quantization.json
    rows: list[dict[str, Any]]  # of it by class, in the list `by_class` there
    within_bounds: bool
    reason: str


class Variants:
    """Compares variants of a network on labelled examples."""

    rows = "by_class"  # key of `Judged.rows` in quantization.json

    def __init__(
        self, description: Mapping[str, Any], labels: Labels, max_drop: float, max_class_drop: float
    ) -> None:
        """`description` is model.json; both bounds are shares (section `quantize`)."""
        self.classes: list[str] = description["classes"]
        self.labels = labels
        self.max_drop, self.max_class_drop = max_drop, max_class_drop

    def facts(self) -> dict[str, Any]:
        """The entries of quantization.json that concern all variants."""
        return {
            # Without an example: nothing bounds what a variant loses on them.
            "not_judged": [
                name for index, name in enumerate(self.classes) if index not in self.labels
            ],
            "max_drop_points": 100 * self.max_drop,
            "max_class_drop_points": 100 * self.max_class_drop,
        }

    def agreement(self, exported: Logits, trained: Logits) -> dict[str, Any]:
        """The difference between an export and the trained network; `disagreements` counts changed
        answers.
        """
        return agreement(exported, trained)

    def draw(self, labels: Labels, rows: int, seed: int) -> NDArray[np.int64]:
        """Indices of at most `rows` calibration examples (see `balanced`).

        Raises `DataError` if a class has none: its activation ranges would be guesses.
        """
        drawn = balanced(labels, rows, seed)
        found = {*labels[drawn].tolist()}
        missing = [name for index, name in enumerate(self.classes) if index not in found]
        if missing:
            raise DataError(
                f"the {len(drawn)} calibration rows have no example of class {', '.join(missing)};"
                f" raise quantize.calibration_rows ({rows}), or look whether"
                " data/prepared/train.parquet has that class"
            )
        return drawn

    def measured(self, logits: Logits) -> dict[str, Any]:
        """The score of a variant on its own."""
        right = int((logits.argmax(axis=1) == self.labels).sum())
        return {"validation_accuracy": proportion(right, len(self.labels))}

    def calibrated(self, original: Logits, logits: Logits, reference: Logits) -> dict[str, Any]:
        """The loss of a calibration: changed answers against `original`, distance of logits from
        `reference`.
        """
        change = paired(original.argmax(axis=1), logits.argmax(axis=1), self.labels).points()
        error = np.sqrt(np.square(logits.astype(np.float64) - reference).mean())
        return {**change, "logit_error": float(error)}

    def best(self, tried: Mapping[str, Mapping[str, Any]]) -> str:
        """The calibration that loses fewest answers; ties go to the one with the nearest logits."""
        return min(
            tried,
            key=lambda name: (tried[name]["lost"] - tried[name]["won"], tried[name]["logit_error"]),
        )

    def judged(self, original: Logits, logits: Logits) -> Judged:
        """Compares a variant's answers with those of the export."""
        before, after = original.argmax(axis=1), logits.argmax(axis=1)
        change = paired(before, after, self.labels).points()
        by_class = {
            name: paired(before[rows], after[rows], self.labels[rows]).points()
            for index, name in enumerate(self.classes)
            if (rows := self.labels == index).any()
        }
        weakest = _weakest(by_class)
        within, reason = self.within(change, by_class)
        worst = {"class": weakest, "drop_points": by_class[weakest]["drop_points"]}
        rows = [{"class": name, **row} for name, row in by_class.items()]
        return Judged({"paired": change, "worst_class": worst}, rows, within, reason)

    def within(
        self, change: Mapping[str, Any], by_class: Mapping[str, Mapping[str, Any]]
    ) -> tuple[bool, str]:
        """Whether a variant loses no more accuracy than it may, and why in one sentence.

        `change` is the variant against the export on the same examples (`Paired.points`),
        `by_class` the same by class. Both bounds hold for the unfavourable ends of the 95 %
        intervals; what is no number is out of bounds.
        """
        lost, weakest = change["drop_points"]["high"], _weakest(by_class)
        of_class = by_class[weakest]["drop_points"]["high"]
        seen = (
            f"lost {change['lost']} and won {change['won']} of {change['n']:,} validation examples"
        )
        allowed, of_allowed = 100 * self.max_drop, 100 * self.max_class_drop
        if not lost <= allowed:
            return False, (
                f"{seen}: at worst {lost:.2f} points (95 %), more than the allowed {allowed:.2f}"
            )
        if not of_class <= of_allowed:
            return False, (
                f"{seen}, of class {weakest} at worst {of_class:.2f} points (95 %), more than the"
                f" allowed {of_allowed:.2f}"
            )
        return True, (
            f"{seen}: at worst {lost:.2f} points (95 %), within the allowed {allowed:.2f}, and"
            f" {of_class:.2f} of class {weakest}, within {of_allowed:.2f}"
        )


def _weakest(by_class: Mapping[str, Mapping[str, Any]]) -> str:
    """The class with the largest possible loss; NaN counts as the worst."""
    return max(
        by_class, key=lambda name: np.nan_to_num(by_class[name]["drop_points"]["high"], nan=np.inf)
    )


def balanced(labels: Labels, rows: int, seed: int) -> NDArray[np.int64]:
    """Indices of at most `rows` examples, balanced over the classes; sorted.

    If there are fewer examples than asked for, all are used.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(labels))
    # The k-th example of each class, class after class: even a small draw misses no class.
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = np.arange(len(members))
    return np.sort(shuffled[np.argsort(rank[shuffled], kind="stable")][:rows])
