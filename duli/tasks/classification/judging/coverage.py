"""The risk-coverage trade-off: the share of examples answered at a confidence, and the accuracy of
these answers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base.intervals import proportion

POINTS = 100  # of the curve

Floats = NDArray[np.floating[Any]]


def curve(confidence: Floats, correct: Floats) -> list[dict[str, float]]:
    """The risk-coverage curve (El-Yaniv and Wiener 2010) of confidences and right answers (0 or 1),
    [n], from sure to unsure.

    Each row is a threshold that really occurs: whoever answers at least that sure is counted, equal
    confidences together.
    """
    n = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    ordered, right = confidence[order], np.cumsum(correct[order])
    # Where a threshold ends: all examples of one confidence are answered, or none of them.
    ends = (
        np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if n else np.empty(0, np.int64)
    )
    chosen = ends[
        np.unique(np.linspace(0, len(ends) - 1, min(POINTS, len(ends))).round().astype(int))
    ]
    rows = []
    for end in chosen:
        answered = int(end) + 1
        accuracy = proportion(int(right[end]), answered)
        rows.append(
            {
                "threshold": float(ordered[end]),
                "coverage": answered / n,
                "accuracy": accuracy["value"],
                "accuracy_low": accuracy["low"],
                "accuracy_high": accuracy["high"],
            }
        )
    return rows


def area_under_risk(confidence: Floats, correct: Floats) -> Floats:
    """AURC of [..., n]: the share of wrong answers, averaged over all coverages 1/n to 1 (Geifman
    and El-Yaniv 2017).
    """
    order = np.argsort(-confidence, axis=-1, kind="stable")
    wrong = np.cumsum(1 - np.take_along_axis(correct, order, axis=-1), axis=-1)
    return np.asarray((wrong / np.arange(1, confidence.shape[-1] + 1)).mean(axis=-1))
