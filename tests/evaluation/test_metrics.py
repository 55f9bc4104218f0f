"""Measures against independent implementations and their laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from duli.evaluation import metrics

counts = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_wilson_interval_is_scipys(count: tuple[int, int]) -> None:
    successes, n = count
    theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    ours = metrics.proportion(successes, n)
    assert np.allclose([ours["low"], ours["high"]], [theirs.low, theirs.high], atol=1e-12)
    assert 0 <= ours["low"] <= ours["value"] <= ours["high"] <= 1


def test_without_examples_nothing_is_known() -> None:
    assert metrics.proportion(0, 0) == {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}


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
