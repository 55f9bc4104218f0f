"""Statistics of two samples obey their laws, and agree with scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from duli.retraining import shift

COUNTS = hnp.arrays(np.int64, st.integers(2, 12), elements=st.integers(0, 500))
VALUES = hnp.arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, np.nan, np.inf])),
)
KNOWN = hnp.arrays(
    np.float64,
    st.integers(4, 30),
    elements=st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0])),
)


@given(COUNTS.filter(np.any), st.integers(1, 3))
def test_psi_is_at_least_0_symmetrical_and_0_for_the_same_histogram(
    counts: np.ndarray, by: int
) -> None:
    other = np.roll(counts, by)
    assert shift.psi(counts, other)[0] >= 0
    assert shift.psi(counts, other)[0] == pytest.approx(shift.psi(other, counts)[0])
    assert shift.psi(counts, counts)[0] == 0


def test_psi_by_hand() -> None:
    p, q = np.array([30.5, 70.5]) / 101, np.array([50.5, 50.5]) / 101
    assert shift.psi(np.array([30, 70, 0]), np.array([50, 50, 0])) == (
        pytest.approx(((q - p) * np.log(q / p)).sum()),
        1,
    )


@given(COUNTS.filter(np.any), st.integers(1, 5))
def test_chi_square_is_that_of_scipy(counts: np.ndarray, factor: int) -> None:
    other = np.roll(counts, 1) * factor
    held = (counts + other) > 0
    statistic, freedom = shift.chi_square(counts, other)
    if held.sum() < 2:
        assert statistic == pytest.approx(0, abs=1e-9)
        return
    theirs = stats.chi2_contingency(np.array([counts[held], other[held]]), correction=False)
    assert statistic == pytest.approx(theirs.statistic, abs=1e-9)
    assert freedom == theirs.dof
    assert shift.chance("chi-square", statistic, 0.0, freedom) == pytest.approx(
        theirs.pvalue, abs=1e-12
    )


@given(KNOWN, KNOWN)
def test_ks_is_symmetrical_at_most_1_0_for_the_same_values_and_that_of_scipy(
    one: np.ndarray, other: np.ndarray
) -> None:
    distance = shift.ks(one, other)
    assert 0 <= distance <= 1
    assert distance == shift.ks(other, one)
    assert shift.ks(one, one) == 0
    assert distance == pytest.approx(
        stats.ks_2samp(one, other, method="asymp").statistic, abs=1e-12
    )
    assert shift.ks(np.append(one, np.nan), other) == distance


@given(VALUES)
def test_every_value_is_in_one_bin_and_gaps_in_the_last(values: np.ndarray) -> None:
    ends = shift.edges(values)
    assert (np.diff(ends) > 0).all()
    bins = shift.binned(values, ends)
    assert ((bins == len(ends) + 1) == np.isnan(values)).all()
    known = ~np.isnan(values)
    order = np.argsort(values[known], kind="stable")
    assert (np.diff(bins[known][order]) >= 0).all()


def test_a_constant_has_a_bin_of_its_own() -> None:
    ends = shift.edges(np.zeros(50))
    assert shift.binned(np.array([-1e-300, 0.0, 5e-324, 1.0]), ends).tolist() == [0, 1, 2, 2]


def test_no_value_at_all_has_no_ends() -> None:
    assert shift.edges(np.full(3, np.nan)).size == 0
    assert shift.binned(np.array([np.nan, 2.0]), np.empty(0)).tolist() == [1, 0]


def test_what_is_far_apart_is_told_apart_and_the_same_is_not() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(2, 200, 5))
    assert shift.separability(one, other + 10) == 1
    assert abs(shift.separability(one, other) - 0.5) < 3 * shift.spread(200)
    assert shift.separability(np.ones((20, 3)), np.ones((20, 3))) == 0.5


def test_the_spread_of_the_classifier_is_what_chance_makes() -> None:
    generator = np.random.default_rng(1)
    areas = [shift.separability(*generator.normal(size=(2, 100, 3))) for _ in range(400)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.01)
    assert np.std(areas) == pytest.approx(shift.spread(100), rel=0.15)


@pytest.mark.parametrize("test", ["ks", "psi", "chi-square", "classifier"])
@given(probability=st.floats(1e-6, 0.3), size=st.integers(20, 5000), freedom=st.integers(1, 20))
def test_a_threshold_is_where_the_probability_is(
    test: str, probability: float, size: int, freedom: int
) -> None:
    statistic = shift.critical(test, probability, size, freedom)
    assert shift.chance(test, statistic, size, freedom) == pytest.approx(probability, rel=1e-6)


@pytest.mark.parametrize("test", ["ks", "psi", "chi-square"])
def test_probabilities_are_about_uniform_where_nothing_moved(test: str) -> None:
    generator = np.random.default_rng(2)
    found = []
    for _ in range(300):
        one, other = generator.normal(size=2000), generator.normal(size=500)
        ends = shift.edges(one)
        bins = [
            np.bincount(shift.binned(values, ends), minlength=len(ends) + 2)
            for values in (one, other)
        ]
        statistic, freedom = {
            "ks": (shift.ks(one, other), 1),
            "psi": shift.psi(*bins),
            "chi-square": shift.chi_square(*bins),
        }[test]
        found.append(shift.chance(test, statistic, 400, freedom))
    assert stats.kstest(found, "uniform").statistic < 0.12
