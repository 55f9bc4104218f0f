"""Paired comparison of two models on the same examples: exact McNemar test, difference in accuracy,
agreement of an export.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base.intervals import Z95
from duli.evaluation import bootstrap
from duli.evaluation.predict import softmax

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Paired:
    """Counts of the `n` shared examples on which only one of the two models is right."""

    n: int
    lost: int  # the reference is right, the other is wrong
    won: int  # the reference is wrong, the other is right

    @property
    def p_value(self) -> float:
        """The p-value of the exact two-sided McNemar test (McNemar 1947); null hypothesis: both
        models are equally often right.
        """
        from scipy.stats import binomtest

        return (
            float(binomtest(self.lost, self.lost + self.won).pvalue)
            if self.lost + self.won
            else 1.0
        )

    def difference(self) -> dict[str, float]:
        """Accuracy of the other less that of the reference, with its bootstrap interval at 95 %, at
        no end narrower than `points` says.

        Resampling models that hardly differ gives an interval of hardly any width, however few the
        examples are.
        """
        counts = np.array([self.lost, self.won, self.n - self.lost - self.won])
        resampled = bootstrap.of_counts(
            lambda drawn: (drawn[..., 1] - drawn[..., 0]) / drawn.sum(axis=-1), counts
        )
        drop = self._drop()
        return {
            **resampled,
            "low": min(resampled["low"], -drop["high"]),
            "high": max(resampled["high"], -drop["low"]),
        }

    def points(self) -> dict[str, Any]:
        """The counts for reports: `drop_points` is the accuracy that the other model lost, in
        percentage points, with its 95 % interval.

        The interval is Agresti and Min's (2005) for a difference of paired proportions: Wald's
        after adding half an observation to each cell of the two-by-two table, so that no
        disagreement still has a width.
        """
        drop = {end: 100 * share for end, share in self._drop().items()}
        return {"n": self.n, "lost": self.lost, "won": self.won, "drop_points": drop}

    def _drop(self) -> dict[str, float]:
        centre = (self.lost - self.won) / (self.n + 2)
        half = (
            Z95
            * ((self.lost + self.won + 1) - (self.lost - self.won) ** 2 / (self.n + 2)) ** 0.5
            / (self.n + 2)
        )
        return {
            "value": (self.lost - self.won) / self.n,
            "low": centre - half,
            "high": centre + half,
        }


def paired(reference: Labels, other: Labels, labels: Labels) -> Paired:
    """Losses and wins of the predictions `other` against those of `reference`, each [n]."""
    right, of_other = reference == labels, other == labels
    return Paired(len(labels), int((right & ~of_other).sum()), int((~right & of_other).sum()))


def gain_points(baseline: Labels, model: Labels, labels: Labels) -> dict[str, Any]:
    """The gain in accuracy over a baseline, in percentage points, with its interval.

    On the same examples, at 95 %.
    """
    found = paired(baseline, model, labels).points()
    drop = found.pop("drop_points")
    return {
        **found,
        "gain_points": {
            "value": 0 - drop["value"],
            "low": 0 - drop["high"],
            "high": 0 - drop["low"],
        },
    }


def gap(share: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """`share` less `other`, of different examples, with the 95 % interval.

    Both as `duli.base.intervals.proportion` gives them.

    The interval is Newcombe's (1998, method 10) of the two Wilson intervals.
    """
    value = share["value"] - other["value"]
    below = math.hypot(share["value"] - share["low"], other["high"] - other["value"])
    above = math.hypot(share["high"] - share["value"], other["value"] - other["low"])
    return {"value": value, "low": value - below, "high": value + above}


def agreement(exported: NDArray[np.float32], original: NDArray[np.float32]) -> dict[str, Any]:
    """The difference between an export and its original, from the logits [n, classes] of both: the
    largest deviations, and the number of changed answers.
    """
    return {
        "max_logit_difference": float(np.abs(exported - original).max()),
        "max_probability_difference": float(np.abs(softmax(exported) - softmax(original)).max()),
        "disagreements": int((exported.argmax(axis=1) != original.argmax(axis=1)).sum()),
        "n": len(original),
    }
