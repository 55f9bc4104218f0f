"""Measures against independent implementations and their laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from duli.evaluation.predict import softmax
from duli.tasks.classification.judging import metrics


def answers(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [n, classes] that know something, and labels [n]."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    return softmax(generator.normal(size=(n, classes)) + 2 * np.eye(classes)[labels]), labels


@given(n=st.integers(1, 200), classes=st.integers(2, 12), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_values_are_those_of_scikit_learn(n: int, classes: int, seed: int) -> None:
    probabilities, labels = answers(n, classes, seed)
    facts = metrics.summary(probabilities, labels, threshold=0.8, top=2)
    predictions, every = probabilities.argmax(axis=1), np.arange(classes)
    assert facts["accuracy"]["value"] == accuracy_score(labels, predictions)
    if classes > 2:  # with two classes scikit-learn asks for one column
        assert facts["top_2_accuracy"]["value"] == pytest.approx(
            top_k_accuracy_score(labels, probabilities, k=2, labels=every)
        )
        brier = brier_score_loss(labels, probabilities, labels=every, scale_by_half=False)
        assert facts["brier"]["value"] == pytest.approx(brier, abs=1e-12)
    assert facts["log_loss"]["value"] == pytest.approx(
        log_loss(labels, probabilities, labels=every), rel=1e-12
    )
    theirs = precision_recall_fscore_support(
        labels, predictions, labels=every, average="macro", zero_division=0
    )
    for name, value in zip(metrics.SCORES, theirs, strict=False):
        assert facts[f"macro_{name}"]["value"] == pytest.approx(value, abs=1e-12)
    accepted = probabilities.max(axis=1) >= 0.8
    assert facts["coverage"]["value"] == accepted.mean()
    assert facts["accuracy_of_accepted"] == metrics.accuracy(
        predictions[accepted], labels[accepted]
    )
    for name, fact in facts.items():
        if isinstance(fact, dict):
            assert fact["low"] <= fact["value"] <= fact["high"], name


def test_a_sure_and_wrong_answer_has_a_finite_loss() -> None:
    facts = metrics.summary(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]), 0.5, 1)
    assert math.isfinite(facts["log_loss"]["value"])
    assert facts["brier"]["value"] == 1.0


def test_the_label_counts_as_found_once_among_equals() -> None:
    equal = np.full((3, 3), 1 / 3)
    found = [
        metrics.summary(equal, np.array([0, 1, 2]), 0.5, top)[f"top_{top}_accuracy"]["value"]
        for top in (1, 2, 3)
    ]
    assert found == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_more_classes_than_there_are_are_all() -> None:
    probabilities, labels = answers(20, 3, 0)
    assert metrics.summary(probabilities, labels, 0.5, 9)["top_9_accuracy"]["value"] == 1.0


@given(n=st.integers(1, 300), classes=st.integers(1, 8), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_per_class_is_scikit_learns(n: int, classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels, predictions = generator.integers(0, classes, n), generator.integers(0, classes, n)
    rows = metrics.per_class(
        metrics.confusion(predictions, labels, classes), [str(index) for index in range(classes)]
    )
    theirs = precision_recall_fscore_support(
        labels, predictions, labels=np.arange(classes), zero_division=0
    )
    for name, values in zip(metrics.SCORES, theirs, strict=False):
        assert [row[name] for row in rows] == pytest.approx(list(values), abs=1e-12)
        assert all(row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] for row in rows)
    assert [row["examples"] for row in rows] == list(theirs[3])


def test_confusion_has_labels_as_rows() -> None:
    assert metrics.confusion(np.array([1, 1, 0]), np.array([0, 0, 0]), 2).tolist() == [
        [1, 2],
        [0, 0],
    ]


def test_the_most_confused_pairs_are_the_wrong_ones_most_frequent_first() -> None:
    counts = np.array([[90, 8, 2], [0, 50, 0], [5, 0, 45]])
    pairs = metrics.most_confused(counts, ["a", "b", "c"])
    assert [(pair["label"], pair["prediction"], pair["value"]) for pair in pairs] == [
        ("a", "b", 0.08),
        ("c", "a", 0.1),
        ("a", "c", 0.02),
    ]
    assert len(metrics.most_confused(counts, ["a", "b", "c"], pairs=1)) == 1


def test_the_worst_mistakes_are_the_surest_wrong_answers() -> None:
    probabilities = np.array(
        [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.99, 0.01]]
    )
    labels = np.array([0, 0, 1, 0, 0, 0])
    # of equally sure ones the first
    assert metrics.worst_mistakes(probabilities, labels, 9).tolist() == [1, 4, 3, 2]
    assert metrics.worst_mistakes(probabilities, labels, 2).tolist() == [1, 4]
    assert metrics.worst_mistakes(probabilities, probabilities.argmax(axis=1), 9).tolist() == []
