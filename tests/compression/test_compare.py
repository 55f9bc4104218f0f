"""The paired comparison and the rule that chooses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.compression import compare

answers = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=200)


@given(answers)
def test_drop_is_the_difference_of_accuracies(triples: list[tuple[int, int, int]]) -> None:
    reference, variant, labels = np.array(triples).T
    drop = compare.paired(reference, variant, labels)
    assert drop.drop == pytest.approx((reference == labels).mean() - (variant == labels).mean())
    assert drop.drop_low < drop.drop_high
    back = compare.paired(variant, reference, labels)
    assert (back.lost, back.won) == (drop.won, drop.lost)
    assert back.drop_high == pytest.approx(-drop.drop_low)


def test_equal_answers_still_have_an_interval() -> None:
    same = np.zeros(10_000, np.int64)
    drop = compare.paired(same, same, same)
    assert drop.drop == 0
    assert 0 < drop.drop_high < 0.0005


def test_the_choice_follows_the_unfavourable_end() -> None:
    labels = np.zeros(10_000, np.int64)
    variant = labels.copy()
    variant[:12] = 1  # loses 0.12 points, 0.19 at worst
    drop = compare.paired(labels, variant, labels)
    assert compare.choose(drop, 0.002)[0] == "int8"
    assert compare.choose(drop, 0.0015)[0] == "fp32"
    assert "lost 12 and won 0" in compare.choose(drop, 0.0015)[1]


def test_agreement_sees_the_one_answer_that_differs() -> None:
    logits = np.eye(3, dtype=np.float32)
    other = logits.copy()
    assert compare.agreement(other, logits) == {"max_logit_difference": 0.0, "disagreements": 0}
    other[1] = [0, 0, 1]
    assert compare.agreement(other, logits) == {"max_logit_difference": 1.0, "disagreements": 1}
