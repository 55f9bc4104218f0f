"""The confidence from which an answer is given: the one at which a million accepted answers cost
least.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import DataError

Floats = NDArray[np.float64]
Cost = Callable[[float, float], float]  # coverage and accuracy of the accepted, to USD per million


@dataclass(frozen=True)
class Curve:
    """The risk-coverage curve at every confidence that occurs, from sure to unsure; each
    [points].
    """

    threshold: Floats
    coverage: Floats
    accuracy: Floats  # of the accepted


def curve(confidence: Any, correct: Any) -> Curve:
    """The curve (El-Yaniv and Wiener 2010) of confidences and right answers (0 or 1), [n]; who is
    at least as sure is accepted.

    Raises `DataError` if there is nothing, or where numbers are missing.
    """
    sure, right = np.asarray(confidence, float), np.asarray(correct, float)
    if not len(sure) or not (np.isfinite(sure).all() and np.isfinite(right).all()):
        raise DataError(
            "the predictions are empty or hold no finite confidences; repeat `dvc repro --force"
            " evaluate`"
        )
    order = np.argsort(-sure, kind="stable")
    ordered, total = sure[order], np.cumsum(right[order])
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    answered = ends + 1
    return Curve(ordered[ends], answered / len(sure), total[ends] / answered)


def at(threshold: float, confidence: Any, correct: Any) -> tuple[float, float]:
    """Coverage, and accuracy of the accepted, where answers at least as sure as `threshold` are
    given; accuracy 1 where none is.
    """
    accepted = np.asarray(confidence, float) >= threshold
    right = np.asarray(correct, float)[accepted]
    return float(accepted.mean()), float(right.mean()) if len(right) else 1.0


def cheapest(of: Curve, cost: Cost) -> tuple[float, float]:
    """The threshold of least cost, and that cost; of equals the one that answers most."""
    costs = np.array(
        [
            cost(coverage, accuracy)
            for coverage, accuracy in zip(of.coverage, of.accuracy, strict=True)
        ]
    )
    best = len(costs) - 1 - int(np.argmin(costs[::-1]))
    return float(of.threshold[best]), float(costs[best])


def cross_fitted(confidence: Any, correct: Any, cost: Cost) -> float:
    """The cost at the cheapest threshold on examples that did not choose it: chosen on every other
    example, judged on the rest, and the reverse.

    A threshold judged on the examples that chose it looks better than it is.
    """
    sure, right = np.asarray(confidence, float), np.asarray(correct, float)
    found = []
    for half in (0, 1):
        chosen, _ = cheapest(curve(sure[half::2], right[half::2]), cost)
        found.append(cost(*at(chosen, sure[1 - half :: 2], right[1 - half :: 2])))
    return float(np.mean(found))
