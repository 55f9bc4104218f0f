"""Measures of a classifier from its probabilities and the labels, each with its 95 % interval.

The formulas are vectorised, for the bootstrap asks for each a thousand times; the tests compare
them with scikit-learn's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base.intervals import proportion
from duli.evaluation import bootstrap
from duli.tasks.classification.judging import calibration, coverage

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

SCORES = ("precision", "recall", "f1")
# end of a column's name -> end of the interval
ENDS = {"": "value", "_low": "low", "_high": "high"}


def accuracy(predictions: Labels, labels: Labels) -> dict[str, float]:
    """Share of right predictions with its interval."""
    return proportion(int((predictions == labels).sum()), len(labels))


def summary(probabilities: Floats, labels: Labels, threshold: float, top: int) -> dict[str, Any]:
    """Headline measures of probabilities [n, classes] against labels [n], each with its interval.

    `coverage` is the share of examples answered with at least `threshold` confidence,
    `accuracy_of_accepted` the share of right answers among those. `brier` is the sum over the
    classes (Brier 1950), so between 0 and 2. `log_loss` is in nats.
    """
    confidence, predictions = probabilities.max(axis=1), probabilities.argmax(axis=1)
    correct = (predictions == labels).astype(np.float64)
    accepted = confidence >= threshold
    counts = confusion(predictions, labels, probabilities.shape[1])
    log_losses, briers = _losses(probabilities, labels)
    return {
        "n": len(labels),
        "accuracy": accuracy(predictions, labels),
        f"top_{top}_accuracy": proportion(
            int(_among_first(probabilities, labels, top).sum()), len(labels)
        ),
        **{f"macro_{name}": bootstrap.of_counts(_macro(name), counts) for name in SCORES},
        "log_loss": bootstrap.of_examples(_mean, log_losses),
        "brier": bootstrap.of_examples(_mean, briers),
        "calibration_error": bootstrap.of_examples(calibration.expected_error, confidence, correct),
        "area_under_risk": bootstrap.of_examples(coverage.area_under_risk, confidence, correct),
        "confidence_threshold": threshold,
        "coverage": proportion(int(accepted.sum()), len(labels)),
        "accuracy_of_accepted": accuracy(predictions[accepted], labels[accepted]),
    }


def confusion(predictions: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """The confusion matrix: counts by label (row) and prediction (column), [classes, classes]."""
    return (
        np.bincount(labels * classes + predictions, minlength=classes**2)
        .reshape(classes, classes)
        .astype(np.int64)
    )


def per_class(counts: NDArray[np.int64], classes: list[str]) -> list[dict[str, Any]]:
    """Precision, recall and F1 with their intervals and the number of examples of each class, from
    the confusion matrix.
    """
    rows = []
    for index, name in enumerate(classes):
        right = int(counts[index, index])
        measured = {
            "precision": proportion(right, int(counts[:, index].sum())),
            "recall": proportion(right, int(counts[index].sum())),
            "f1": bootstrap.of_counts(lambda drawn, at=index: scores(drawn)["f1"][..., at], counts),  # type: ignore[misc]
        }
        ends = {
            f"{measure}{suffix}": facts[end]
            for measure, facts in measured.items()
            for suffix, end in ENDS.items()
        }
        rows.append({"class": name, "examples": int(counts[index].sum()), **ends})
    return rows


def most_confused(
    counts: NDArray[np.int64], classes: list[str], pairs: int = 10
) -> list[dict[str, Any]]:
    """The label and prediction pairs that are most often wrong, and which share of the label's
    examples that is.
    """
    wrong = counts * (1 - np.eye(len(classes), dtype=np.int64))
    first = np.argsort(-wrong, axis=None, kind="stable")[:pairs]
    cells = [divmod(int(cell), len(classes)) for cell in first]
    return [
        {
            "label": classes[label],
            "prediction": classes[other],
            **proportion(int(wrong[label, other]), int(counts[label].sum())),
        }
        for label, other in cells
        if wrong[label, other]
    ]


def worst_mistakes(probabilities: Floats, labels: Labels, most: int) -> NDArray[np.int64]:
    """The rows of at most `most` wrong answers, the surest first, of equally sure ones the
    first.
    """
    confidence, wrong = (
        probabilities.max(axis=1),
        np.flatnonzero(probabilities.argmax(axis=1) != labels),
    )
    return wrong[np.argsort(-confidence[wrong], kind="stable")][:most]


def scores(counts: NDArray[np.integer[Any]]) -> dict[str, Floats]:
    """Precision, recall and F1 [..., classes] of confusion matrices [..., classes, classes]; 0
    where nothing was there to count.
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    predicted, present = counts.sum(axis=-2), counts.sum(axis=-1)
    parts = {
        "precision": (right, predicted),
        "recall": (right, present),
        "f1": (2 * right, predicted + present),
    }
    return {
        name: np.divide(above, below, out=np.zeros_like(right), where=below > 0)
        for name, (above, below) in parts.items()
    }


def _macro(name: str) -> Callable[[NDArray[np.integer[Any]]], Floats]:
    return lambda counts: np.asarray(scores(counts)[name].mean(axis=-1))


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def _among_first(probabilities: Floats, labels: Labels, top: int) -> NDArray[np.bool_]:
    """Whether fewer than `top` classes are more probable than the label, [n]; of equally probable
    ones the first counts, as in argmax.
    """
    own = probabilities[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    result: NDArray[np.bool_] = ((probabilities > own) | ((probabilities == own) & earlier)).sum(
        axis=1
    ) < top
    return result


def _losses(probabilities: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Log loss and Brier score of each example; a probability of 0 counts as the smallest float, as
    in scikit-learn.
    """
    own = probabilities[np.arange(len(labels)), labels]
    log_losses = -np.log(np.maximum(own, np.finfo(probabilities.dtype).eps))
    briers = (probabilities**2).sum(axis=1) - 2 * own + 1
    return log_losses, briers
