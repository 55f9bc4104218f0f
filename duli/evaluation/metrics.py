"""Measures of a classifier from its probabilities and the labels, proportions with their 95 % interval."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.intervals import proportion

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Probabilities [n, classes] of logits [n, classes], in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    result: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result


def accuracy(predictions: Labels, labels: Labels) -> dict[str, float]:
    """Share of right predictions with its interval."""
    return proportion(int((predictions == labels).sum()), len(labels))


def summary(probabilities: Floats, labels: Labels, threshold: float) -> dict[str, Any]:
    """Headline measures of probabilities [n, classes] against labels [n].

    `coverage` is the share of examples answered with at least `threshold` confidence, `accuracy_of_accepted` the share
    of right answers among those.
    """
    from sklearn.metrics import f1_score, log_loss

    classes = np.arange(probabilities.shape[1])
    predictions = probabilities.argmax(axis=1)
    accepted = probabilities.max(axis=1) >= threshold
    return {
        "n": len(labels),
        "accuracy": accuracy(predictions, labels),
        "macro_f1": float(f1_score(labels, predictions, labels=classes, average="macro", zero_division=0)),
        "log_loss": float(log_loss(labels, probabilities, labels=classes)),
        "confidence_threshold": threshold,
        "coverage": proportion(int(accepted.sum()), len(labels)),
        "accuracy_of_accepted": accuracy(predictions[accepted], labels[accepted]),
    }


def per_class(predictions: Labels, labels: Labels, classes: list[str]) -> list[dict[str, Any]]:
    """Precision, recall with its interval, F1 and number of test examples of each class."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, _, f1, support = precision_recall_fscore_support(labels, predictions, labels=np.arange(len(classes)), zero_division=0)
    rows = []
    for index, name in enumerate(classes):
        recall = accuracy(predictions[labels == index], labels[labels == index])
        rows.append(
            {
                "class": name,
                "examples": int(support[index]),
                "precision": float(precision[index]),
                "recall": recall["value"],
                "recall_low": recall["low"],
                "recall_high": recall["high"],
                "f1": float(f1[index]),
            }
        )
    return rows
