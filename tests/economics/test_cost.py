"""The formulas: golden values that others publish, and the laws they have to obey whatever the
numbers.
"""

from dataclasses import fields, replace
from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.errors import DataError
from duli.economics import cost
from duli.economics.cost import Inputs, Mode

MODES: tuple[Mode, ...] = ("review", "abstain")
modes = st.sampled_from(MODES)
amounts = st.floats(1e-3, 1e4)
shares = st.floats(0.01, 1)
inputs = st.builds(
    Inputs,
    price_per_hour=amounts,
    throughput=st.floats(0.1, 1e6),
    utilisation=shares,
    instances=st.integers(0, 20),
    volume=st.floats(1, 1e10),
    coverage=shares,
    accuracy=st.floats(0, 1),
    review=st.floats(0, 10),
    error=st.floats(0, 100),
    tickets=st.floats(0, 1e4),
    ticket=st.floats(0, 100),
)
NAMES = [field.name for field in fields(Inputs)]
TYPICAL = Inputs(0.357, 1000, 0.3, 2, 1e7, 0.98, 0.999, 0.03, 0.1, 10, 5)


@pytest.mark.parametrize(
    ("price_per_hour", "per_second", "utilisation", "expected"),
    [(10, 1000, 1, 2.7778), (1, 200, 1, 1.3889), (0.357, 1000, 0.3, 0.3306)],
)
def test_golden_values_of_compute(
    price_per_hour: float, per_second: float, utilisation: float, expected: float
) -> None:
    assert cost.compute(price_per_hour, per_second, utilisation) == pytest.approx(
        expected, abs=5e-5
    )


def test_golden_values_of_always_on_capacity_and_of_review() -> None:
    """Two c7i.2xlarge cost 521 USD a month before the first customer; 2 % to a person at 0.03 USD
    is 0.60 USD per thousand.
    """
    assert cost.idle(0.357, 1000, 0.3, 2, 1e6) + cost.compute(0.357, 1000, 0.3) == pytest.approx(
        521.22
    )
    assert cost.review(0.98, 0.03) == pytest.approx(600)
    assert cost.errors(0.98, 0.999, 0.1) == pytest.approx(98)


def test_a_language_model_costs_its_tokens_whatever_the_number_of_answers() -> None:
    """1,000 tokens in at 3 USD and 200 out at 15 USD per million tokens: 0.006 USD an answer."""
    assert cost.language_model(1000, 200, 3, 15) == pytest.approx(0.006 * 1e6)
    # On a machine of one's own at 200 tokens/s and 1 USD/h a token costs what the golden value
    # says, in and out alike.
    own = cost.compute(1, 200, 1)
    assert cost.language_model(1000, 200, own, own) == pytest.approx(1200 * 1.3889, rel=1e-4)


@given(amounts, st.floats(0.1, 1e6), shares)
def test_doubled_throughput_halves_compute(
    price_per_hour: float, throughput: float, utilisation: float
) -> None:
    once, twice = (
        cost.compute(price_per_hour, factor * throughput, utilisation) for factor in (1, 2)
    )
    assert isclose(once, 2 * twice)


@given(inputs, modes)
def test_parts_are_never_negative_and_sum_to_the_total(given_inputs: Inputs, mode: Mode) -> None:
    parts = cost.unit_cost(given_inputs, mode)
    amounts_found = [getattr(parts, field.name) for field in fields(parts)]
    assert all(amount >= 0 for amount in amounts_found)
    assert isclose(sum(amounts_found), parts.total)


@given(inputs)
def test_compute_and_idle_are_the_bill(given_inputs: Inputs) -> None:
    parts = cost.unit_cost(given_inputs, "review")
    needed = given_inputs.volume / (given_inputs.throughput * 3600 * given_inputs.utilisation)
    hours = max(needed, given_inputs.instances * cost.HOURS_PER_MONTH)
    assert isclose(
        (parts.compute + parts.idle) * given_inputs.volume / 1e6,
        hours * given_inputs.price_per_hour,
        rel_tol=1e-9,
    )


@given(inputs)
def test_full_coverage_makes_both_modes_agree(given_inputs: Inputs) -> None:
    full = replace(given_inputs, coverage=1.0)
    assert cost.unit_cost(full, "review") == cost.unit_cost(full, "abstain")


@given(inputs, modes)
def test_perfect_accuracy_makes_no_error_cost(given_inputs: Inputs, mode: Mode) -> None:
    assert cost.unit_cost(replace(given_inputs, accuracy=1.0), mode).errors == 0


@given(inputs)
def test_abstaining_pays_no_review_and_divides_the_rest_by_coverage(given_inputs: Inputs) -> None:
    review, abstain = (cost.unit_cost(given_inputs, mode) for mode in MODES)
    assert abstain.review == 0
    assert isclose(
        abstain.total * given_inputs.coverage,
        review.total - review.review,
        rel_tol=1e-9,
        abs_tol=1e-6,
    )


def test_nothing_accepted_has_no_unit_cost() -> None:
    with pytest.raises(DataError, match="no prediction is accepted"):
        cost.unit_cost(replace(TYPICAL, coverage=0.0), "abstain")
    assert cost.unit_cost(replace(TYPICAL, coverage=0.0), "review").review == pytest.approx(30_000)


@given(amounts, amounts)
def test_price_equal_to_cost_has_no_margin(price: float, other: float) -> None:
    assert cost.gross_margin(price, price) == 0
    assert (cost.gross_margin(price, other) > 0) == (price > other)


@given(st.floats(0.01, 1e6), amounts, st.floats(1.001, 100))
def test_break_even_rises_with_fixed_cost_and_falls_with_price(
    fixed: float, variable: float, above: float
) -> None:
    price = variable * above
    volume = cost.break_even_volume(fixed, price, variable)
    assert volume is not None
    assert cost.break_even_volume(fixed, variable, variable) is None
    assert cost.break_even_volume(fixed, variable, price) is None
    assert isclose(volume * price, fixed + volume * variable, rel_tol=1e-6)
    more_fixed, higher_price = (
        cost.break_even_volume(2 * fixed, price, variable),
        cost.break_even_volume(fixed, 2 * price, variable),
    )
    assert more_fixed is not None
    assert higher_price is not None
    assert higher_price < volume < more_fixed


@given(inputs, modes, st.floats(1.001, 100), st.floats(0.01, 1e6))
def test_at_the_break_even_volume_profit_is_zero(
    given_inputs: Inputs, mode: Mode, above: float, fixed: float
) -> None:
    """Whether the always-on machines suffice there or not; checked against the bill, not against
    the formula.
    """
    parts = cost.unit_cost(given_inputs, mode)
    price = (parts.compute + parts.review + parts.errors + parts.support) * above
    answers = cost.break_even_answers(given_inputs, mode, price, fixed)
    assert answers is not None
    there = replace(
        given_inputs, volume=answers / (given_inputs.coverage if mode == "abstain" else 1)
    )
    spent = cost.unit_cost(there, mode).total * answers / 1e6 + fixed
    assert isclose(price * answers / 1e6, spent, rel_tol=1e-6)


@given(inputs, modes, st.floats(0, 1), st.floats(0, 1e6))
def test_where_a_single_answer_costs_more_than_its_price_no_volume_pays(
    given_inputs: Inputs, mode: Mode, below: float, fixed: float
) -> None:
    parts = cost.unit_cost(given_inputs, mode)
    price = (parts.review + parts.errors + parts.support) * below
    assert cost.break_even_answers(given_inputs, mode, price, fixed) is None
    for volume in (1.0, 1e5, 1e12):
        assert cost.unit_cost(replace(given_inputs, volume=volume), mode).total >= price * (
            1 - 1e-9
        )


@given(inputs, modes, st.floats(0, 1e6))
def test_at_the_break_even_price_revenue_pays_everything(
    given_inputs: Inputs, mode: Mode, fixed: float
) -> None:
    price = cost.break_even_price(given_inputs, mode, fixed)
    answers = given_inputs.volume * (given_inputs.coverage if mode == "abstain" else 1)
    spent = cost.unit_cost(given_inputs, mode).total * answers / 1e6 + fixed
    assert isclose(price * answers / 1e6, spent, rel_tol=1e-9)


@given(
    inputs, inputs, st.sets(st.sampled_from(NAMES), max_size=4), modes, st.floats(1, 1e6), st.data()
)
def test_bounds_hold_every_point_between_the_ends(
    one: Inputs, other: Inputs, names: set[str], mode: Mode, price: float, data: st.DataObject
) -> None:
    ranges = {name: tuple(sorted((getattr(one, name), getattr(other, name)))) for name in names}
    point = replace(
        one,
        **{
            name: low + data.draw(st.floats(0, 1)) * (high - low)
            for name, (low, high) in ranges.items()
        },
    )

    def break_even(varied: Inputs) -> float:
        found = cost.break_even_answers(varied, mode, price)
        return inf if found is None else found

    for measure in (lambda varied: cost.unit_cost(varied, mode).total, break_even):
        low, high = cost.bounds(measure, one, ranges)
        assert low * (1 - 1e-9) <= measure(point) <= high * (1 + 1e-9)


def test_without_ranges_the_bounds_are_the_point() -> None:
    assert cost.bounds(lambda varied: varied.review, TYPICAL, {}) == (0.03, 0.03)


def test_swings_name_the_strongest_input_first_and_an_unused_one_moves_nothing() -> None:
    ranges = {
        "review": (0.02, 0.04),
        "accuracy": (0.99, 1.0),
        "ticket": (5.0, 6.0),
        "price_per_hour": (0.3, 0.4),
    }
    found = cost.swings(lambda varied: cost.unit_cost(varied, "review").total, TYPICAL, ranges)
    assert list(found) == ["accuracy", "review", "price_per_hour", "ticket"]
    low, high = cost.swings(
        lambda varied: cost.unit_cost(varied, "abstain").total, TYPICAL, ranges
    )["review"]
    assert low == high
