"""The risk-coverage curve against counting, and its area."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.tasks.classification.judging import coverage

PAIRS = st.lists(
    st.tuples(st.sampled_from(np.linspace(0, 1, 40).tolist()), st.sampled_from([0.0, 1.0])),
    min_size=1,
    max_size=300,
)


@given(pairs=PAIRS)
def test_every_point_is_what_counting_gives(pairs: list[tuple[float, float]]) -> None:
    confidence, correct = (np.array(column) for column in zip(*pairs, strict=True))
    rows = coverage.curve(confidence, correct)
    for row in rows:
        answered = confidence >= row["threshold"]
        assert row["coverage"] == answered.mean()
        assert row["accuracy"] == pytest.approx(correct[answered].mean())
    assert rows[-1]["coverage"] == 1.0
    assert [row["coverage"] for row in rows] == sorted({row["coverage"] for row in rows})


def test_many_thresholds_are_thinned_and_keep_both_ends() -> None:
    confidence = np.linspace(0, 1, 10_000)
    rows = coverage.curve(confidence, np.ones(10_000))
    assert len(rows) == coverage.POINTS
    assert (rows[0]["threshold"], rows[-1]["threshold"]) == (1.0, 0.0)


def test_no_examples_no_curve() -> None:
    assert coverage.curve(np.empty(0), np.empty(0)) == []


def test_area_by_hand() -> None:
    # right, wrong, right from sure to unsure: risks 0, 1/2, 1/3
    assert coverage.area_under_risk(
        np.array([0.5, 0.9, 0.7]), np.array([1.0, 1.0, 0.0])
    ) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


@given(seed=st.integers(0, 2**31), n=st.integers(2, 50))
def test_no_order_has_less_risk_than_right_before_wrong(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    correct = generator.integers(0, 2, n).astype(float)
    best = coverage.area_under_risk(correct, correct)
    assert coverage.area_under_risk(generator.random(n), correct) >= best - 1e-12
