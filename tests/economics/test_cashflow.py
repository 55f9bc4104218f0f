"""Cash by month: laws that hold for any plan, published formulas, and the same table computed once
more as a spreadsheet would.
"""

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy_financial
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duli.economics import cashflow, cost
from duli.economics.cashflow import Flows, Venture
from duli.economics.cost import Mode

MODES: tuple[Mode, ...] = ("review", "abstain")
modes = st.sampled_from(MODES)
shares = st.floats(0, 1)
PLAN = Venture(
    price_per_hour=0.357,
    throughput=1000,
    utilisation=0.3,
    instances=2,
    coverage=0.98,
    accuracy=0.997,
    review=0.03,
    error=0.1,
    tickets=10,
    ticket=5,
    price=1200,
    licence=20_000,
    maintenance=0.2,
    day_rate=1200,
    day_cost=500,
    days_first=10,
    days_per_month=1,
    subscription=0.6,
    one_time=0.2,
    services=0.2,
    accounts=200,
    account_volume=1e6,
    innovation=0.03,
    imitation=0.38,
    churn=0.085,
    cac=5000,
    team=30_000,
    upkeep=0.5,
    build_months=3,
    training=1.0,
)


@st.composite
def ventures(draw: st.DrawFn) -> Venture:
    subscription = draw(shares)
    one_time = draw(st.floats(0, 1 - subscription))
    ranges: dict[str, tuple[float, float]] = {
        "price_per_hour": (0, 100),
        "throughput": (1, 1e6),
        "utilisation": (0.01, 1),
        "instances": (0, 10),
        "coverage": (0.01, 1),
        "accuracy": (0, 1),
        "review": (0, 1),
        "error": (0, 10),
        "tickets": (0, 1000),
        "ticket": (0, 50),
        "price": (0, 1e5),
        "licence": (0, 1e6),
        "maintenance": (0, 0.5),
        "day_rate": (0, 5000),
        "day_cost": (0, 5000),
        "days_first": (0, 50),
        "days_per_month": (0, 20),
        "accounts": (0, 1e5),
        "account_volume": (0, 1e8),
        "innovation": (0, 1),
        "imitation": (0, 1),
        "churn": (0, 0.99),
        "cac": (0, 1e5),
        "team": (0, 1e6),
        "upkeep": (0, 1),
        "build_months": (0, 24),
        "training": (0, 1e6),
    }
    numbers = {name: draw(st.floats(*ends)) for name, ends in ranges.items()}
    return Venture(
        **numbers,
        subscription=subscription,
        one_time=one_time,
        services=1 - subscription - one_time,
    )


def spreadsheet(of: Venture, mode: Mode, months: int) -> list[dict[str, float]]:
    """The table again, cell by cell with Python's own numbers, as somebody would write it into a
    sheet; shares no code with the library.
    """
    rows = [
        {
            "won": 0.0,
            "subscribers": 0.0,
            "owners": 0.0,
            "clients": 0.0,
            "revenue": 0.0,
            "net": -of.team * of.build_months - of.training,
        }
    ]
    adopted = 0.0
    stays = (1 - of.churn) ** (1 / 12)
    for _ in range(months):
        before = rows[-1]
        left = of.accounts - adopted
        won = min(
            of.innovation / 12 * left
            + (of.imitation / 12 * adopted / of.accounts * left if of.accounts else 0),
            left,
        )
        adopted += won
        row = {"won": won}
        row["subscribers"] = before["subscribers"] * stays + won * of.subscription
        row["owners"] = before["owners"] * stays + won * of.one_time
        row["clients"] = before["clients"] * stays + won * of.services
        asked = row["subscribers"] * of.account_volume
        answered = asked if mode == "review" else asked * of.coverage
        days = won * of.services * of.days_first + before["clients"] * stays * of.days_per_month
        row["revenue"] = (
            answered / 1e6 * of.price
            + won * of.one_time * of.licence
            + before["owners"] * stays * of.licence * of.maintenance / 12
            + days * of.day_rate
        )
        hours = asked / of.throughput / 3600 / of.utilisation
        if row["subscribers"] > 0:
            hours = max(hours, of.instances * 730)
        spent = hours * of.price_per_hour
        if mode == "review":
            spent += asked * (1 - of.coverage) * of.review
        spent += asked * of.coverage * (1 - of.accuracy) * of.error
        spent += (
            (row["subscribers"] + row["owners"]) * of.account_volume / 1e6 * of.tickets * of.ticket
        )
        spent += days * of.day_cost
        row["net"] = row["revenue"] - spent - won * of.cac - of.team * of.upkeep
        rows.append(row)
    return rows


@settings(deadline=None)
@given(ventures(), modes, st.integers(1, 60))
def test_a_second_computation_agrees(of: Venture, mode: Mode, months: int) -> None:
    flows = cashflow.flows(of, mode, months)
    sheet = spreadsheet(of, mode, months)
    gross = (
        np.abs(flows.revenue) + flows.cost_of_sales + flows.acquisition + flows.team + flows.build
    )
    for name in ("won", "subscribers", "owners", "clients", "revenue", "net"):
        found, again = getattr(flows, name), [row[name] for row in sheet]
        # Differences of large sums: relative to what was added up.
        scale = np.maximum(gross, 1.0) if name == "net" else np.maximum(np.abs(found), 1e-6)
        assert np.max(np.abs(found - again) / scale) < 1e-9, name
    for yearly in (0.0, 0.15):
        rate = (1 + yearly) ** (1 / 12) - 1
        again = sum(row["net"] / (1 + rate) ** month for month, row in enumerate(sheet))
        assert abs(float(cashflow.npv(yearly, flows.net)) - again) < 1e-9 * max(
            float(gross.sum()), 1.0
        )


def test_the_typical_plan_agrees_to_the_ninth_digit_without_any_scale() -> None:
    for mode in MODES:
        net, sheet = (
            cashflow.flows(PLAN, mode, 60).net,
            [row["net"] for row in spreadsheet(PLAN, mode, 60)],
        )
        np.testing.assert_allclose(net, sheet, rtol=1e-9)


@settings(deadline=None)
@given(st.lists(ventures(), min_size=2, max_size=4), modes)
def test_draws_at_once_are_the_draws_one_by_one(several: list[Venture], mode: Mode) -> None:
    stacked = Venture(
        **{
            field.name: np.array([getattr(one, field.name) for one in several])
            for field in fields(Venture)
        }
    )
    together = cashflow.flows(stacked, mode, 13)
    for column, one in enumerate(several):
        alone = cashflow.flows(one, mode, 13)
        for field in fields(Flows):
            np.testing.assert_allclose(
                getattr(together, field.name)[:, column],
                getattr(alone, field.name),
                rtol=1e-12,
                atol=1e-9,
            )


@given(st.floats(0, 1e6), st.floats(0, 20), st.floats(0, 20), st.integers(1, 240))
def test_adoption_stays_within_the_market_and_only_grows(
    accounts: float, p: float, q: float, months: int
) -> None:
    won = cashflow.bass(accounts, p, q, months)
    assert won[0] == 0
    assert (won >= 0).all()
    assert won.sum() <= accounts * (1 + 1e-9)


def test_adoption_follows_bass() -> None:
    """M 1000, p 0.36 and q 0.48 a year, so 0.03 and 0.04 a month: 30, then 0.03 * 970 + 0.04 *
    30/1000 * 970.
    """
    assert cashflow.bass(1000, 0.36, 0.48, 2) == pytest.approx([0, 30, 29.1 + 1.164])


@pytest.mark.parametrize("mode", MODES)
def test_a_month_costs_what_the_unit_cost_says(mode: Mode) -> None:
    """Of subscribers alone: the same bill by month and by the million."""
    of = replace(PLAN, subscription=1.0, one_time=0.0, services=0.0)
    flows = cashflow.flows(of, mode, 24)
    volume = float(flows.subscribers[24]) * of.account_volume
    names = [field.name for field in fields(cost.Inputs) if field.name != "volume"]
    unit = cost.unit_cost(
        cost.Inputs(**{name: getattr(of, name) for name in names}, volume=volume), mode
    )
    accepted = volume * (of.coverage if mode == "abstain" else 1)
    assert flows.cost_of_sales[24] == pytest.approx(unit.total * accepted / 1e6, rel=1e-12)


@settings(deadline=None)
@given(ventures())
def test_full_coverage_makes_both_modes_agree_and_perfect_answers_cost_no_errors(
    of: Venture,
) -> None:
    full = replace(of, coverage=1.0, accuracy=1.0)
    review, abstain = (cashflow.flows(full, mode, 12) for mode in MODES)
    assert np.array_equal(review.net, abstain.net)
    assert not review.errors.any()


@settings(deadline=None)
@given(ventures(), modes, st.floats(1.01, 10), st.floats(0, 1))
def test_a_higher_price_never_hurts_and_a_dearer_customer_never_helps(
    of: Venture, mode: Mode, more: float, rate: float
) -> None:
    def worth(**changes: Any) -> float:
        return float(cashflow.npv(rate, cashflow.flows(replace(of, **changes), mode, 24).net))

    room = 1e-9 * (abs(worth()) + 1e6)
    assert worth(price=of.price * more) >= worth() - room
    assert worth(cac=of.cac * more) <= worth() + room
    assert worth(accuracy=of.accuracy / more) <= worth() + room


def test_nobody_who_buys_means_no_machines() -> None:
    flows = cashflow.flows(replace(PLAN, accounts=0), "review", 12)
    assert not flows.machines.any()
    assert flows.net[1:] == pytest.approx([-15_000] * 12)
    assert not cashflow.flows(
        replace(PLAN, subscription=0.0, one_time=1.0, services=0.0), "review", 12
    ).machines.any()


net_flows = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


@given(net_flows, st.floats(0, 1))
def test_npv_is_that_of_numpy_financial_and_without_interest_the_sum(
    net: list[float], yearly: float
) -> None:
    rate = cashflow.monthly_rate(yearly)
    scale = 1e-9 * (sum(map(abs, net)) + 1)
    assert float(cashflow.npv(yearly, np.array(net))) == pytest.approx(
        numpy_financial.npv(rate, net), abs=scale
    )
    assert float(cashflow.npv(0.0, np.array(net))) == pytest.approx(math.fsum(net), abs=scale)


@settings(deadline=None)  # the first one loads scipy.optimize
@given(
    st.lists(st.floats(1, 1e5), min_size=1, max_size=24),
    st.lists(st.floats(1, 1e5), min_size=1, max_size=36),
)
def test_at_the_internal_rate_of_return_nothing_is_gained(
    out: list[float], back: list[float]
) -> None:
    net = np.array([-amount for amount in out] + back)
    rate = float(cashflow.irr(net))
    if math.isnan(rate):  # nearly all is lost
        worst = (1 - 0.999) ** (-np.arange(len(net)) / 12)
        assert float(worst @ net) < 0 or float(net @ 101.0 ** -np.arange(len(net))) > 0
        return
    monthly = (1 + rate) ** (1 / 12) - 1
    weights = (1 + monthly) ** -np.arange(len(net), dtype=float)
    assert abs(float(weights @ net)) < 1e-6 * float(weights @ np.abs(net))
    assert float(cashflow.npv(rate, net)) == pytest.approx(
        0, abs=1e-6 * float(weights @ np.abs(net))
    )


def test_the_internal_rate_of_return_is_that_of_numpy_financial() -> None:
    net = np.array([-100_000.0, *[4000.0] * 36])
    assert (1 + float(cashflow.irr(net))) ** (1 / 12) - 1 == pytest.approx(
        numpy_financial.irr(net), rel=1e-9
    )


@pytest.mark.parametrize(
    "net",
    [
        [-1.0, -2.0, -3.0],  # never anything back
        [1.0, 2.0, 3.0],  # nothing put in
        [5.0, -1.0, -1.0],  # money first: a loan
        [-1.0, 3.0, -2.1],  # two changes of sign, two rates
        [0.0, 0.0, 0.0],
    ],
)
def test_where_there_is_no_single_rate_there_is_none(net: list[float]) -> None:
    assert math.isnan(float(cashflow.irr(np.array(net))))


def test_rates_of_draws_are_those_of_each() -> None:
    net = np.array([[-100.0, -1.0, -50.0], [30.0, -1.0, 0.0], [90.0, -1.0, 80.0]])
    rates = cashflow.irr(net)
    assert math.isnan(rates[1])
    assert [float(cashflow.irr(net[:, column])) for column in (0, 2)] == pytest.approx(
        [rates[0], rates[2]], rel=1e-9
    )


@pytest.mark.parametrize(
    ("net", "month"),
    [
        ([-10, 4, 4, 4], 3),
        ([-10, 10, 0, 0], 1),
        ([-10, 12, -4, 4], 3),  # paid back in month 1, in the red again in month 2
        ([-10, 1, 1, 1], math.inf),
        ([0, 1, 1, 1], 0),
        ([5, -6, 0, 2], 3),
    ],
)
def test_payback_is_the_month_from_which_nothing_is_owed(net: list[float], month: float) -> None:
    assert float(cashflow.payback(np.array(net, float))) == month


@given(net_flows)
def test_payback_against_a_search(net: list[float]) -> None:
    total, paid = 0.0, []
    for amount in net:
        total += amount
        paid.append(total >= 0)
    expected = next((month for month in range(len(net)) if all(paid[month:])), math.inf)
    assert float(cashflow.payback(np.array(net))) == expected


def test_lifetime_value_by_hand_and_as_the_sum_it_stands_for() -> None:
    assert float(cashflow.lifetime_value(100, 0.6, 0.02)) == pytest.approx(3000)
    summed = sum(100 * 0.6 * (0.98 / 1.01) ** month for month in range(5000))
    assert float(cashflow.lifetime_value(100, 0.6, 0.02, 0.01)) == pytest.approx(summed)
    assert float(cashflow.lifetime_value(100, 0.6, 0.0)) == math.inf
    # who costs more than he pays, and never leaves
    assert float(cashflow.lifetime_value(100, -0.1, 0.0)) == -math.inf
    assert float(cashflow.lifetime_value(0, 0.6, 0.0)) == 0


@given(st.floats(1, 1e5), st.floats(0.01, 1), st.floats(1e-3, 1))
def test_discounted_lifetime_value_tends_to_the_plain_one(
    arpa: float, margin: float, churn: float
) -> None:
    plain = float(cashflow.lifetime_value(arpa, margin, churn))
    assert float(cashflow.lifetime_value(arpa, margin, churn, 1e-12)) == pytest.approx(
        plain, rel=1e-6
    )
    assert float(cashflow.lifetime_value(arpa, margin, churn, 0.01)) <= plain * (1 + 1e-12)


def test_payback_of_winning_a_customer() -> None:
    assert float(cashflow.cac_payback(5000, 1000, 0.5)) == pytest.approx(10)
    assert float(cashflow.cac_payback(5000, 1000, -0.1)) == math.inf


@given(st.floats(0, 0.999))
def test_twelve_months_lose_what_a_year_loses(yearly: float) -> None:
    assert 1 - (1 - float(cashflow.monthly(yearly))) ** 12 == pytest.approx(yearly, abs=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_contribution_is_price_less_what_comes_with_each_answer(mode: Mode) -> None:
    arpa, margin = cashflow.contribution(PLAN, mode)
    names = [field.name for field in fields(cost.Inputs) if field.name != "volume"]
    unit = cost.unit_cost(
        cost.Inputs(**{name: getattr(PLAN, name) for name in names}, volume=1e9), mode
    )
    accepted = PLAN.coverage if mode == "abstain" else 1
    assert arpa == pytest.approx(1200 * accepted)
    assert margin == pytest.approx(cost.gross_margin(1200, unit.total - unit.idle))
