"""What would have to be true: roots that are roots, and a reason wherever there is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.economics.required import Needed, at_zero, rising


@given(st.floats(0.01, 1e3), st.floats(0.01, 1e3), st.sampled_from(["more", "less"]))
def test_at_the_needed_value_the_plan_is_worth_nothing(
    slope: float, root: float, better: str
) -> None:
    def worth(value: float) -> float:
        return (slope if better == "more" else -slope) * (value - root)

    found = at_zero(worth, 0.0, 2 * root, better)  # type: ignore[arg-type]
    assert found.value == pytest.approx(root, rel=1e-9)
    assert found.reason is None


@pytest.mark.parametrize(
    ("slope", "offset", "better", "reason"),
    [
        (1, -100, "more", "always_loses"),
        (1, 100, "more", "always_pays"),
        (-1, -100, "less", "always_loses"),
        (-1, 100, "less", "always_pays"),
        (0, 5, "more", "no_effect"),
        (0, -5, "less", "no_effect"),
        (math.nan, 0, "more", "not_finite_over_range"),
    ],
)
def test_where_there_is_no_such_value_there_is_a_reason(
    slope: float, offset: float, better: str, reason: str
) -> None:
    found = at_zero(lambda value: slope * value + offset, 0.0, 10.0, better)  # type: ignore[arg-type]
    assert found == Needed(None, reason)  # type: ignore[arg-type]


def test_the_upper_end_is_looked_for_by_doubling_and_never_beyond_the_most() -> None:
    assert rising(lambda value: value - 100, 1.0, 1e6) == 128
    assert rising(lambda _: -1.0, 1.0, 1000.0) == 1000
    assert rising(lambda _: 1.0, 5.0, 1000.0) == 5
