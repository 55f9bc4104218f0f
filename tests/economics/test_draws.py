"""Draws and what is read from them, against distributions and functions whose answers are known."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from duli.economics import draws
from duli.economics.draws import Draws, Floats, Uncertain

quantiles = np.linspace(0.001, 0.999, 997)


@st.composite
def uncertain(draw: st.DrawFn) -> Uncertain:
    dist: Any = draw(st.sampled_from(["triangular", "lognormal", "beta"]))
    low, value, high = sorted(draw(st.lists(st.floats(0.001, 1), min_size=3, max_size=3)))
    if high - low < 1e-6:
        return Uncertain(value, value, value, "point")
    return Uncertain(value, low, high, dist)


@given(uncertain())
def test_quantiles_rise_and_bounded_shapes_stay_in_their_range(one: Uncertain) -> None:
    found = one.ppf(quantiles)
    assert (np.diff(found) >= -1e-12).all()
    if one.dist != "lognormal":
        assert one.low * (1 - 1e-9) <= found.min()
        assert found.max() <= one.high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("one", "reference"),
    [
        (Uncertain(3, 2, 7, "triangular"), stats.triang(0.2, 2, 5)),
        (Uncertain(2, 2, 7, "triangular"), stats.triang(0, 2, 5)),
        (Uncertain(7, 2, 7, "triangular"), stats.triang(1, 2, 5)),
        (Uncertain(3, 2, 7, "beta"), stats.beta(1.8, 4.2, 2, 5)),
        (Uncertain(0.99, 0.98, 0.995, "beta", n=1000), stats.beta(990.5, 10.5)),
        (
            Uncertain(0.1, 0.02, 0.5, "lognormal"),
            stats.lognorm(math.log(25) / (2 * stats.norm.ppf(0.95)), scale=0.1),
        ),
    ],
)
def test_shapes_are_those_of_scipy(one: Uncertain, reference: Any) -> None:
    np.testing.assert_allclose(one.ppf(quantiles), reference.ppf(quantiles), rtol=1e-9)


def test_a_lognormal_holds_nine_in_ten_between_its_ends() -> None:
    """Where its value is the middle of them by factors, as in 0.02, 0.1, 0.5."""
    np.testing.assert_allclose(
        Uncertain(0.1, 0.02, 0.5, "lognormal").ppf([0.05, 0.5, 0.95]), [0.02, 0.1, 0.5], rtol=1e-12
    )


INPUTS = {
    "a": Uncertain(1, 0, 2, "triangular"),
    "b": Uncertain(5, 1, 9, "triangular"),
    "c": Uncertain(7, 7, 7, "point"),
    "unused": Uncertain(3, 1, 4, "triangular"),
}


def additive(figures: Draws) -> Floats:
    return figures["a"] + 2 * figures["b"] + figures["c"]


@settings(deadline=None)  # the first one loads scipy.stats
@given(st.integers(1, 300), st.integers(0, 2**31))
def test_each_slice_of_a_hypercube_is_drawn_once(n: int, seed: int) -> None:
    inputs = {"x": Uncertain(0.5, 0, 1, "triangular"), "y": Uncertain(0, 0, 0, "point")}
    found = draws.hypercube(inputs, n, seed)
    below = stats.triang(0.5, 0, 1).cdf(found["x"])
    assert sorted(np.floor(np.clip(below * n, 0, n - 1e-9)).astype(int)) == pytest.approx(
        np.arange(n), abs=1
    )
    assert (found["y"] == 0).all()
    assert all(
        np.array_equal(found[name], again)
        for name, again in draws.hypercube(inputs, n, seed).items()
    )


def test_the_order_of_slices_differs_between_inputs_and_seeds() -> None:
    one, other = (draws.hypercube(INPUTS, 1000, seed) for seed in (0, 1))
    assert abs(np.corrcoef(one["a"], one["b"])[0, 1]) < 0.1
    assert not np.array_equal(one["a"], other["a"])


def test_inputs_without_a_range_are_the_point_model() -> None:
    known = {
        name: Uncertain(one.value, one.value, one.value, "point") for name, one in INPUTS.items()
    }
    assert (additive(draws.hypercube(known, 50, 0)) == additive(draws.point(known))).all()
    assert draws.percentiles(additive(draws.hypercube(known, 50, 0))) == {
        "p10": 18.0,
        "p50": 18.0,
        "p90": 18.0,
    }
    assert draws.sobol(additive, known, 16, 0) == []
    assert draws.variance_share(additive, known, ["a"], 16, 0) is None
    assert draws.tornado(additive, known) == []


@given(st.lists(st.floats(-1e9, 1e9) | st.just(math.inf), min_size=1, max_size=200))
def test_percentiles_are_in_order_and_infinite_ones_are_none(results: list[float]) -> None:
    found = draws.percentiles(results)
    numbers = [math.inf if found[name] is None else found[name] for name in ("p10", "p50", "p90")]
    assert numbers == sorted(numbers)


def test_the_tornado_is_the_result_at_each_end_with_the_rest_at_their_values() -> None:
    found = draws.tornado(additive, INPUTS)
    assert [bar["input"] for bar in found] == ["b", "a", "unused"]
    assert (found[0]["at_low"], found[0]["at_high"]) == (10, 26)
    assert found[2]["at_low"] == found[2]["at_high"]


def test_variance_shares_of_a_sum_are_those_of_its_terms() -> None:
    """Var of a triangular: (l^2 + m^2 + h^2 - lm - lh - mh) / 18, so 1/6 for a and 4 * 8/3
    for 2b.
    """
    exact = {"a": (1 / 6) / (1 / 6 + 32 / 3), "b": (32 / 3) / (1 / 6 + 32 / 3), "unused": 0.0}
    found = {row["input"]: row for row in draws.sobol(additive, INPUTS, 2048, 0)}
    assert found.keys() == exact.keys()
    for name, share in exact.items():
        assert found[name]["total"] == pytest.approx(share, abs=0.03)
        assert found[name]["first"] == pytest.approx(share, abs=0.03)
    assert found["unused"]["total"] == 0
    assert draws.variance_share(additive, INPUTS, ["a", "unused"], 20_000, 0) == pytest.approx(
        exact["a"], abs=0.01
    )
    assert draws.variance_share(additive, INPUTS, ["a", "b"], 20_000, 0) == pytest.approx(
        1, abs=0.03
    )
    assert draws.variance_share(additive, INPUTS, ["unused", "c"], 20_000, 0) == 0
    assert draws.variance_share(additive, INPUTS, [], 20_000, 0) == 0


def test_what_inputs_do_together_counts_for_all_of_them() -> None:
    """Of x y with both symmetric about 0 all variance is of both together: first 0, total 1."""
    inputs = {name: Uncertain(0, -1, 1, "triangular") for name in ("x", "y")}
    for row in draws.sobol(lambda figures: figures["x"] * figures["y"], inputs, 4096, 0):
        assert row["first"] == pytest.approx(0, abs=0.05)
        assert row["total"] == pytest.approx(1, abs=0.05)


def test_a_result_that_does_not_vary_has_no_shares() -> None:
    def constant(figures: Draws) -> Floats:
        return np.full(len(figures["a"]), 5.0)

    assert draws.sobol(constant, INPUTS, 16, 0) == []
    assert draws.variance_share(constant, INPUTS, ["a"], 16, 0) is None


def test_a_histogram_counts_all_but_the_hundredth_at_either_end() -> None:
    bars = draws.histogram(np.arange(10_000.0))
    assert len(bars) == draws.BARS
    assert sum(bar["draws"] for bar in bars) == 9800
    assert [bar["high"] for bar in bars[:-1]] == [bar["low"] for bar in bars[1:]]
    assert max(bar["draws"] for bar in bars) - min(bar["draws"] for bar in bars) <= 2
    [one] = draws.histogram(np.full(50, 3.0))
    assert one["draws"] == 50
    assert one["low"] <= 3 <= one["high"]
