"""Measures against independent implementations and their laws."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from duli.evaluation import metrics


def test_softmax_of_large_logits() -> None:
    probabilities = metrics.softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]], np.float32))
    assert np.allclose(probabilities, [[1, 0], [0.5, 0.5]])


def test_summary_against_sklearn_and_by_hand() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 500)
    logits = generator.normal(size=(500, 4)) + 2 * np.eye(4)[labels]
    probabilities = metrics.softmax(logits)
    facts = metrics.summary(probabilities, labels, threshold=0.8)
    predictions = probabilities.argmax(axis=1)
    assert facts["accuracy"]["value"] == accuracy_score(labels, predictions)
    accepted = probabilities.max(axis=1) >= 0.8
    assert facts["coverage"]["value"] == accepted.mean()
    assert facts["accuracy_of_accepted"] == metrics.accuracy(predictions[accepted], labels[accepted])
    assert facts["log_loss"] == pytest.approx(-np.log(probabilities[np.arange(500), labels]).mean())


def test_a_class_that_never_occurs_and_one_never_predicted() -> None:
    rows = metrics.per_class(np.array([0, 0, 0]), np.array([0, 0, 1]), ["a", "b", "c"])
    assert [row["examples"] for row in rows] == [2, 1, 0]
    assert [row["recall"] for row in rows] == [1.0, 0.0, 0.0]
    assert rows[0]["precision"] == pytest.approx(2 / 3)
