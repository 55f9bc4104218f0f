"""The paired comparison: its numbers are those of statsmodels and of the definition, and its
objections are not to be talked round.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from duli.tasks.classification.comparing import paired as compare
from duli.tasks.classification.comparing.paired import Paired
from duli.tasks.classification.promoting.compared import Compared

answers = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=200
)
counts = st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 10_000))


@given(answers)
def test_the_drop_is_the_difference_of_accuracies(triples: list[tuple[int, int, int]]) -> None:
    reference, other, labels = np.array(triples).T
    found = compare.paired(reference, other, labels)
    won = (other == labels).mean() - (reference == labels).mean()
    drop = found.points()["drop_points"]
    assert drop["value"] == pytest.approx(-100 * won)
    assert drop["low"] < drop["high"]
    assert found.difference()["value"] == pytest.approx(won)
    back = compare.paired(other, reference, labels)
    assert (back.lost, back.won, back.p_value) == (found.won, found.lost, found.p_value)
    assert back.points()["drop_points"]["high"] == pytest.approx(-drop["low"])


@given(counts)
def test_the_p_value_is_that_of_statsmodels(numbers: tuple[int, int, int]) -> None:
    lost, won, same = numbers
    theirs = mcnemar([[same, lost], [won, 0]], exact=True).pvalue
    assert Paired(lost + won + same, lost, won).p_value == pytest.approx(theirs, rel=1e-12)


def test_equal_answers_still_have_an_interval_where_quantization_asks_for_one() -> None:
    same = np.zeros(10_000, np.int64)
    found = compare.paired(same, same, same)
    assert found.points()["drop_points"]["value"] == 0
    assert 0 < found.points()["drop_points"]["high"] < 0.05
    assert found.p_value == 1.0


@given(counts)
def test_the_bootstrap_interval_is_as_wide_as_the_normal_approximation_says(
    numbers: tuple[int, int, int],
) -> None:
    lost, won, same = numbers
    n = lost + won + same
    if min(lost, won) < 20:  # there it is not normal
        return
    difference = Paired(n, lost, won).difference()
    deviation = math.sqrt((lost + won) - (won - lost) ** 2 / n) / n
    assert (difference["high"] - difference["low"]) / (2 * 1.96 * deviation) == pytest.approx(
        1, abs=0.12
    )


@pytest.mark.parametrize(("n", "least"), [(100, 0.015), (1000, 0.0015), (10_000, 0.00015)])
def test_models_that_never_differ_are_not_proved_equal_by_a_few_examples(
    n: int, least: float
) -> None:
    difference = Paired(n, 0, 0).difference()
    assert difference["low"] < -least < 0 < least < difference["high"]
    assert bool(Compared(Paired(n, 0, 0)).objections(0.002, None, 0.0)) == (n == 100)


def test_a_challenger_that_may_be_worse_is_objected_to() -> None:
    assert Compared(Paired(10_000, 0, 0)).objections(0.002, None, 0.0004) == []
    assert Compared(Paired(10_000, 10, 10)).objections(0.002, None, 0.0004) == []
    (objection,) = Compared(Paired(10_000, 10, 10)).objections(0.0005, None, 0.0004)
    assert "may be worse by 0.0" in objection
    (objection,) = Compared(Paired(10_000, 30, 5)).objections(0.002, None, 0.0004)
    assert "allows 0.2" in objection


def test_better_has_to_be_so_beyond_chance_and_seed_noise() -> None:
    clear = Paired(10_000, 10, 40)  # 0.30 points, 0.16 to 0.44
    assert Compared(clear).objections(0.0, 0.0, 0.0) == []
    assert Compared(clear).objections(0.0, 0.001, 0.0) == []
    (noise,) = Compared(clear).objections(0.0, 0.001, 0.001)  # 1.96 * sqrt(2) * 0.1 = 0.28 points
    assert "seed noise included" in noise
    lucky = Paired(10_000, 10, 16)
    assert len(Compared(lucky).objections(0.002, 0.0, 0.0)) == 2
    assert Compared(lucky).objections(0.002, None, 0.0) == []


@given(counts, st.floats(0, 0.01), st.floats(0, 0.01), st.floats(0, 0.01))
def test_asking_for_more_never_finds_less_to_object_to(
    numbers: tuple[int, int, int], margin: float, more: float, noise: float
) -> None:
    lost, won, same = numbers
    found = Paired(lost + won + same, lost, won)
    assert len(Compared(found).objections(margin + more, None, noise)) <= len(
        Compared(found).objections(margin, None, noise)
    )
    assert len(Compared(found).objections(margin, more, 0.0)) <= len(
        Compared(found).objections(margin, more, noise)
    )
    assert len(Compared(found).objections(margin, None, noise)) <= len(
        Compared(found).objections(margin, more, noise)
    )


@pytest.mark.parametrize("bound", [math.nan, -math.inf])
def test_a_bound_that_is_no_number_is_met_by_nothing(bound: float) -> None:
    assert Compared(Paired(10, 0, 10)).objections(bound, None, 0.0)


def test_agreement_sees_the_one_answer_that_differs() -> None:
    logits = np.eye(3, dtype=np.float32)
    other = logits.copy()
    assert compare.agreement(other, logits) == {
        "max_logit_difference": 0.0,
        "max_probability_difference": 0.0,
        "disagreements": 0,
        "n": 3,
    }
    other[1] = [0, 0, 1]
    found = compare.agreement(other, logits)
    assert (found["max_logit_difference"], found["disagreements"]) == (1.0, 1)
    assert found["max_probability_difference"] == pytest.approx((np.e - 1) / (np.e + 2))
