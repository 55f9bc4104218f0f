"""The cheapest threshold, against a search over all of them and against the theory of Chow's
rule.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.errors import DataError
from duli.economics import threshold
from duli.economics.cost import errors, review
from duli.tasks.classification.judging import coverage as evaluation

examples = st.lists(
    st.tuples(st.sampled_from([0.2, 0.5, 0.5000001, 0.7, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=60,
)


def reviewing(coverage: float, accuracy: float) -> float:
    return float(review(coverage, 0.03) + errors(coverage, accuracy, 0.1))


@given(examples)
def test_the_cheapest_is_that_of_a_search(pairs: list[tuple[float, bool]]) -> None:
    sure, right = (
        np.array([pair[0] for pair in pairs]),
        np.array([float(pair[1]) for pair in pairs]),
    )
    costs = {level: reviewing(*threshold.at(level, sure, right)) for level in set(sure)}
    found, cost = threshold.cheapest(threshold.curve(sure, right), reviewing)
    assert cost == pytest.approx(min(costs.values()))
    assert costs[found] == pytest.approx(cost)


@given(examples)
def test_the_curve_is_that_of_the_evaluation(pairs: list[tuple[float, bool]]) -> None:
    sure, right = (
        np.array([pair[0] for pair in pairs]),
        np.array([float(pair[1]) for pair in pairs]),
    )
    mine, theirs = threshold.curve(sure, right), evaluation.curve(sure, right)
    for name, column in (
        ("threshold", mine.threshold),
        ("coverage", mine.coverage),
        ("accuracy", mine.accuracy),
    ):
        assert [row[name] for row in theirs] == pytest.approx(column)


def calibrated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    sure = generator.uniform(0.3, 1, n)
    return sure, (generator.uniform(size=n) < sure).astype(float)


def test_a_calibrated_model_is_cheapest_where_doubt_costs_what_a_review_does() -> None:
    """Chow 1970: answer where (1 - sureness) * error < review, so from 1 - 0.03 / 0.1 = 0.7 on."""
    found, _ = threshold.cheapest(threshold.curve(*calibrated(200_000, 0)), reviewing)
    assert found == pytest.approx(0.7, abs=0.02)


def test_judged_on_the_examples_that_chose_it_a_threshold_looks_better_than_it_is() -> None:
    lower = []
    for seed in range(20):
        sure, right = calibrated(200, seed)
        lower.append(
            threshold.cheapest(threshold.curve(sure, right), reviewing)[1]
            < threshold.cross_fitted(sure, right, reviewing)
        )
    assert sum(lower) >= 18


def test_of_equal_costs_the_one_that_answers_most_is_taken() -> None:
    found, _ = threshold.cheapest(
        threshold.curve([0.9, 0.8, 0.7], [1, 1, 1]), lambda _coverage, _accuracy: 1.0
    )
    assert found == 0.7


def test_nothing_accepted_is_never_wrong() -> None:
    assert threshold.at(1.1, [0.5, 0.9], [1, 0]) == (0.0, 1.0)


@pytest.mark.parametrize(("sure", "right"), [([], []), ([math.nan], [1.0]), ([0.5], [math.inf])])
def test_predictions_that_are_no_numbers_are_refused(sure: list[float], right: list[float]) -> None:
    with pytest.raises(DataError, match="repeat `dvc repro --force evaluate`"):
        threshold.curve(sure, right)
