"""A split that is not like train is named with its statistic; one that chance drew is let through,
whatever its values are.
"""

import numpy as np
import pytest

from duli.validation import shift

TOLERANCE = 0.25


def columns(n: int, seed: int) -> dict[str, np.ndarray]:
    """Statistics of which means alone are treacherous: heavy tails, rare events, gaps."""
    generator = np.random.default_rng(seed)
    gappy = generator.normal(5, 1, n)
    gappy[generator.random(n) < 0.3] = np.nan
    return {
        "even": generator.normal(33, 11, n),
        "heavy": generator.lognormal(0, 2, n),
        "wild": generator.standard_t(2, n),
        "rare": (generator.random(n) < 0.03).astype(float),
        "gappy": gappy,
        "same": np.full(n, 0.1),
    }


def outside(
    train: dict[str, np.ndarray], split: dict[str, np.ndarray], tolerance: float = TOLERANCE
) -> set[str]:
    return {one.name for one in shift.compare(train, split, tolerance) if not one.within}


@pytest.mark.parametrize(("n", "of_split"), [(160, 40), (2000, 200), (100, 2000)])
def test_what_chance_draws_is_within_bounds(n: int, of_split: int) -> None:
    """No tolerance: resampling alone has to allow it."""
    for seed in range(20):
        assert outside(columns(n, 2 * seed), columns(of_split, 2 * seed + 1), tolerance=0) == set()


SHIFTS = {
    "inverted": ("even", lambda values: 255 - values, "even"),
    "twice as much": ("even", lambda values: 2 * values, "even"),
    "a little": ("even", lambda values: values + 4, "even"),
    "in other units": ("heavy", lambda values: 100 * values, "heavy"),
    "gone": ("gappy", lambda values: values * np.nan, "gappy, share missing"),
    "switched on": ("same", lambda values: values + 1, "same"),
}


@pytest.mark.parametrize(("name", "change", "said"), SHIFTS.values(), ids=SHIFTS)
def test_a_shift_is_named(name: str, change: object, said: str) -> None:
    train, split = columns(3000, 0), columns(600, 1)
    split[name] = change(split[name])  # type: ignore[operator]
    assert outside(train, split) == {said}


def test_of_many_examples_a_trifle_is_allowed_and_a_share_of_them_is_not() -> None:
    generator = np.random.default_rng(0)
    train, split = {"x": generator.normal(0, 1, 200_000)}, {"x": generator.normal(0.1, 1, 200_000)}
    assert outside(train, split) == set()
    assert outside(train, split, tolerance=0.05) == {"x"}


def test_the_bounds_are_the_same_each_time_and_around_train() -> None:
    train, split = columns(500, 0), columns(100, 1)
    first = shift.compare(train, split, TOLERANCE)
    assert first == shift.compare(train, split, TOLERANCE)
    assert all(one.low <= one.train <= one.high for one in first)
    assert {one.name for one in first} == {*train, "gappy, share missing"}


def test_many_statistics_are_one_outcome_that_names_the_worst() -> None:
    train, split = (
        {str(index): np.full(100, start + index % 3) for index in range(8)} for start in (0.0, 9.0)
    )
    found = shift.compare(train, split, TOLERANCE)
    outcome = shift.together("test", "features", found)
    assert (outcome.success, outcome.table, outcome.column) == (False, "test", "features")
    assert "0 9, not" in outcome.observed
    assert "and 3 more" in outcome.observed
    assert shift.together("test", "features", shift.compare(train, train, TOLERANCE)).success
