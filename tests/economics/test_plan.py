"""What a plan is worth, against numbers computed by hand for one that is simple enough."""

import math
from typing import Any

import numpy as np
import pytest

from duli.economics import cashflow
from duli.economics import plan as plans
from duli.economics.draws import Uncertain

# One segment of a hundred accounts that all come in the first month (p 12 a year), with a million
# questions each a month.
POINT = {
    "price_per_hour": 0.0,
    "throughput": 1.0,
    "utilisation": 1.0,
    "instances": 0.0,
    "coverage": 1.0,
    "accuracy": 0.999,
    "review": 0.0,
    "error": 0.1,
    "tickets": 10.0,
    "ticket": 5.0,
    "price": 1150.0,
    "licence": 20_000.0,
    "maintenance": 0.2,
    "day_rate": 1000.0,
    "day_cost": 400.0,
    "days_first": 10.0,
    "days_per_month": 1.0,
    "innovation": 12.0,
    "imitation": 0.0,
    "churn": 1 - 0.98**12,
    "cac": 5000.0,
    "team": 30_000.0,
    "upkeep": 0.5,
    "build_months": 3.0,
    "training": 0.0,
    "segment.a.accounts": 400.0,
    "segment.a.volume": 1e6,
    "segment.a.reach": 0.5,
    "segment.a.win": 0.5,
}
PLAN = plans.Plan("review", 24, 1.01**12 - 1, (1.0, 0.0, 0.0), ("segment.a",), 200, 0)


def inputs(**changes: Any) -> dict[str, Uncertain]:
    return {
        name: Uncertain(value, value, value, "point") for name, value in POINT.items()
    } | changes


def test_a_subscriber_by_hand() -> None:
    """1,150 USD a month, of which errors take 100 and support 50, so 1,000 are left; 2 % leave a
    month; 1 % interest a month.
    """
    found = plans.subscription(PLAN, inputs(), plans.drawn(inputs(), PLAN))
    expected = {
        "arpa_usd_per_month": 1150,
        "contribution_margin": 1000 / 1150,
        "ltv_usd": 1000 / 0.02,
        "ltv_discounted_usd": 1000 * 1.01 / 0.03,
        "cac_usd": 5000,
        "ltv_to_cac": 10,
        "cac_to_first_year_revenue": 5000 / 13_800,
        "cac_payback_months": 5,
    }
    assert found.pop("reasons") == []
    for name, number in expected.items():
        assert found[name] == pytest.approx(
            dict.fromkeys(("value", "p10", "p50", "p90"), number)
        ), name


def test_customers_that_pay_for_the_team_by_hand() -> None:
    """15,000 USD a month: 15 subscribers at 1,000, a licence for each 20,000 - 5,000 - 50, 25
    clients at a day of 600.
    """
    found = plans.break_even(PLAN, inputs())
    lines = found.pop("lines")
    assert found == {
        "subscribers": pytest.approx(15),
        "licences_per_month": pytest.approx(15_000 / 14_950),
        "clients": pytest.approx(25),
        "reasons": [],
    }
    drawn = [
        (line["customers"], line["revenue_usd"], line["cost_usd"])
        for line in lines
        if line["of"] == "subscribers"
    ]
    numbers = (0, 7.5, 15, 22.5, 30)
    assert drawn == [
        pytest.approx((number, number * 1150, 15_000 + number * 150)) for number in numbers
    ]
    for of in ("licences_per_month", "clients"):
        [meeting] = [line for line in lines if line["of"] == of and line["customers"] == found[of]]
        assert meeting["revenue_usd"] == pytest.approx(meeting["cost_usd"])
    nothing = plans.break_even(
        PLAN,
        inputs(day_cost=Uncertain(1000, 1000, 1000, "point"), price=Uncertain(10, 10, 10, "point")),
    )
    assert nothing["subscribers"] is nothing["clients"] is None
    assert [entry["key"] for entry in nothing["reasons"]] == ["subscribers", "clients"]
    # all that can be won
    assert [line["customers"] for line in nothing["lines"] if line["of"] == "clients"] == [
        0,
        25,
        50,
        75,
        100,
    ]


@pytest.mark.parametrize(
    ("changes", "mode", "said"),
    [
        ({"segment.a.accounts": 0.0}, "review", "no_revenue"),
        ({"segment.a.volume": 0.0}, "review", "no_revenue"),
        ({"coverage": 0.0}, "review", None),
    ],
)
def test_a_plan_without_customers_or_questions_has_no_number_of_them_that_pays(
    changes: dict[str, float], mode: Any, said: str | None
) -> None:
    of = inputs(
        **{name: Uncertain(value, value, value, "point") for name, value in changes.items()}
    )
    found = plans.break_even(plans.Plan(**{**PLAN.__dict__, "mode": mode}), of)
    assert (found["subscribers"] is None) is (said is not None)
    assert [
        entry["reason"].code for entry in found["reasons"] if entry["key"] == "subscribers"
    ] == [said] * (said is not None)
    assert all(line["revenue_usd"] >= 0 and line["cost_usd"] >= 15_000 for line in found["lines"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"churn": 0.0}, {"ltv_usd": "no_churn", "ltv_to_cac": "no_churn"}),
        ({"cac": 0.0}, {"ltv_to_cac": "free_acquisition"}),
        (
            {"segment.a.volume": 0.0},
            {"cac_payback_months": "no_revenue", "cac_to_first_year_revenue": "no_revenue"},
        ),
        ({"price": 100.0}, {"cac_payback_months": "customer_costs_more"}),
    ],
)
def test_a_figure_of_a_subscriber_that_has_no_number_says_its_own_reason(
    changes: dict[str, float], said: dict[str, str]
) -> None:
    of = inputs(
        **{name: Uncertain(value, value, value, "point") for name, value in changes.items()}
    )
    found = plans.subscription(PLAN, of, plans.drawn(of, PLAN))
    assert {entry["key"].split(".")[0]: entry["reason"].code for entry in found["reasons"]} == said


def test_the_cash_by_month_has_the_band_of_its_draws() -> None:
    """The price alone is open, so each end of the band is the cash at that end of the price."""
    wide = inputs(price=Uncertain(1150, 900, 1400, "triangular"))
    sample = plans.drawn(wide, PLAN)
    rows = plans.table(PLAN, wide, sample)
    prices = np.quantile(sample["price"], [0.1, 0.5, 0.9], method="lower")
    for end, price in zip(("p10", "p50", "p90"), prices, strict=True):
        at = plans.table(PLAN, inputs(price=Uncertain(price, price, price, "point")), sample)
        assert [row[f"cumulative_{end}"] for row in rows] == pytest.approx(
            [row["cumulative"] for row in at]
        )
    assert plans.table(PLAN, inputs(), plans.drawn(inputs(), PLAN))[-1][
        "cumulative_p10"
    ] == pytest.approx(plans.table(PLAN, inputs(), plans.drawn(inputs(), PLAN))[-1]["cumulative"])


def test_an_investment_by_hand() -> None:
    """90,000 USD, then a hundred subscribers won at once for 500,000, who bring 1,000 each and
    leave by 2 % a month.
    """
    net = [
        -90_000.0,
        100_000 - 500_000 - 15_000.0,
        *(100_000 * 0.98**month - 15_000 for month in range(1, 24)),
    ]
    found = plans.investment(PLAN, inputs(), plans.drawn(inputs(), PLAN))
    worth = sum(amount / 1.01**month for month, amount in enumerate(net))
    assert found["npv_usd"] == pytest.approx(
        dict.fromkeys(("value", "p10", "p50", "p90", "mean"), worth)
    )
    assert found["npv_positive_probability"] == 1
    assert found["payback_months"]["value"] == next(
        month for month in range(25) if sum(net[: month + 1]) >= 0
    )
    assert found["funding_usd"]["value"] == pytest.approx(505_000)
    assert found["build_usd"]["value"] == pytest.approx(90_000)
    assert float(cashflow.npv(found["irr_per_year"]["value"], np.array(net))) == pytest.approx(
        0, abs=1e-3
    )
    assert found["revenue_usd"]["value"] == pytest.approx(
        sum(115_000 * 0.98**month for month in range(24))
    )
    assert found["reasons"] == []


def test_draws_without_a_rate_count_as_the_worst_and_not_as_nothing() -> None:
    """Half of the draws never return anything: their rate and their payback are no numbers, and
    pull the percentiles that way.
    """
    split = inputs(price=Uncertain(1150, 0, 2300, "triangular"))
    sample = plans.drawn(split, PLAN)
    sample["price"] = np.repeat([0.0, 1150.0], 100)
    found = plans.investment(PLAN, split, sample)
    assert found["npv_positive_probability"] == 0.5
    assert found["irr_per_year"]["p10"] is None
    assert found["irr_per_year"]["p90"] > 0
    assert found["payback_months"]["p10"] == found["payback_months"]["value"]
    assert found["payback_months"]["p90"] is None
    keys = {entry["key"] for entry in found["reasons"]}
    assert {"irr_per_year.p10", "payback_months.p90"} <= keys
    assert "irr_per_year.p90" not in keys


def test_what_is_needed_by_hand() -> None:
    """Per USD of price a subscriber brings the same number of discounted months, so the root of a
    line.
    """
    months = sum(0.98 ** (month - 1) / 1.01**month for month in range(1, 25))
    fixed = 90_000 + sum(15_000 / 1.01**month for month in range(1, 25)) + 500_000 / 1.01
    found = plans.required(PLAN, inputs())
    assert found["price"].value == pytest.approx(150 + fixed / months / 100)
    assert found["cac"].value == pytest.approx(5000 + (100 * 1000 * months - fixed) / 100 * 1.01)
    assert found["error"].value == pytest.approx(0.1 + (1000 - fixed / months / 100) / 1000)
    assert found["accuracy"].value == pytest.approx(0.999 - (1000 - fixed / months / 100) / 1e5)
    assert found["review"].value is None  # nobody reviews where all is accepted
    assert found["review"].reason == "no_effect"
    # Each account brings its months less its acquisition; the team and the build stay.
    each = 1000 * months - 5000 / 1.01
    assert found["accounts"].value == pytest.approx((fixed - 500_000 / 1.01) / each)


def test_parts_of_many_draws_are_the_whole() -> None:
    many = inputs(price=Uncertain(1150, 500, 2000, "triangular"))
    sample = plans.drawn(many, plans.Plan(**{**PLAN.__dict__, "draws": 2 * plans.CHUNK + 7}))
    whole = cashflow.npv(
        PLAN.discount, cashflow.flows(plans.venture(PLAN, sample), PLAN.mode, PLAN.months).net
    )
    assert np.array_equal(plans.worth(PLAN, sample), whole)
    assert math.isfinite(whole.sum())
