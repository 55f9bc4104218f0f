"""Calibration error and temperature against slower implementations, and networks whose calibration
is known.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duli.evaluation.predict import softmax
from duli.tasks.classification.judging import calibration


def by_hand(confidence: list[float], correct: list[float], bins: int) -> float:
    """Expected calibration error, example by example."""
    pairs = sorted(zip(confidence, correct, strict=True), key=lambda pair: pair[0])
    n, total = len(pairs), 0.0
    for index in range(min(bins, n)):
        part = pairs[index * n // min(bins, n) : (index + 1) * n // min(bins, n)]
        gap = math.fsum(right for _, right in part) / len(part) - math.fsum(
            sure for sure, _ in part
        ) / len(part)
        total += len(part) / n * abs(gap)
    return total


@given(
    pairs=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0])),
        min_size=1,
        max_size=100,
        unique_by=lambda pair: pair[0],
    )
)
def test_calibration_error_is_that_of_the_definition(pairs: list[tuple[float, float]]) -> None:
    confidence, correct = (np.array(column) for column in zip(*pairs, strict=True))
    expected = by_hand(list(confidence), list(correct), calibration.BINS)
    assert calibration.expected_error(confidence, correct) == pytest.approx(expected, abs=1e-6)
    rows = calibration.reliability(confidence, correct)
    drawn = sum(
        row["examples"] / len(pairs) * abs(row["accuracy"] - row["confidence"]) for row in rows
    )
    assert drawn == pytest.approx(expected, abs=1e-6)
    assert sum(row["examples"] for row in rows) == len(pairs)


def test_many_at_once_are_each_by_itself() -> None:
    generator = np.random.default_rng(0)
    confidence, correct = (
        generator.random((4, 100)),
        generator.integers(0, 2, (4, 100)).astype(float),
    )
    each = [calibration.expected_error(*pair) for pair in zip(confidence, correct, strict=True)]
    assert np.allclose(calibration.expected_error(confidence, correct), each)


def test_no_example_no_bin() -> None:
    assert calibration.reliability(np.empty(0), np.empty(0)) == []


def logits_of_known_temperature(n: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(logits), and these logits times the temperature."""
    generator = np.random.default_rng(0)
    logits = 3 * generator.normal(size=(n, 5))
    labels = (softmax(logits).cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)
    return logits * temperature, labels


@pytest.mark.parametrize("true", [0.4, 1.0, 2.5])
def test_the_temperature_is_found_and_helps_where_it_is_not_one(true: float) -> None:
    logits, labels = logits_of_known_temperature(8000, true)
    found = calibration.temperature(logits, labels)
    assert found.value == pytest.approx(true, rel=0.05)
    assert found.helps == (true != 1.0)


def test_the_temperature_is_the_one_of_lowest_log_loss() -> None:
    """Against torch: Newton's steps on the same loss."""
    logits, labels = logits_of_known_temperature(2000, 1.7)
    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [inverse],
        max_iter=100,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(
            torch.from_numpy(logits) * inverse, torch.from_numpy(labels)
        )
        value.backward()
        return value

    optimizer.step(loss)
    assert calibration.temperature(logits, labels).value == pytest.approx(
        1 / inverse.item(), abs=1e-6
    )


@given(n=st.integers(0, 4))
@settings(max_examples=5)
def test_of_a_handful_of_examples_nothing_is_learned(n: int) -> None:
    found = calibration.temperature(np.zeros((n, 3)), np.zeros(n, np.int64))
    assert found.value == 1.0
    assert not found.helps


def test_a_network_that_is_never_wrong_gets_a_finite_temperature() -> None:
    labels = np.arange(100) % 3
    found = calibration.temperature(10 * np.eye(3)[labels], labels)
    assert math.isfinite(found.value)
    assert found.value > 0
