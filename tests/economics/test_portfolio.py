"""Sums over release lines: what is planned adds up, cash by month, and unlike plans not at all."""

from typing import Any

import pytest

from duli.economics.portfolio import Figures, together


def figures(cash: tuple[float, ...], npv: float, chance: float = 0.5, **changes: Any) -> Figures:
    """A line whose plan ends each month with this much money; `changes` are other values of
    business.json.
    """
    ranged = {"value": 1.0, "low": 0.0, "high": 2.0}
    middle = {"p10": -9.0, "p50": 5.0, "p90": 9.0}
    investment = {
        "npv_usd": {**middle, "value": npv, "mean": npv + 1},
        "npv_positive_probability": chance,
        "npv_variance_from_assumed": None,
        "revenue_usd": {**middle, "value": 100.0},
        "funding_usd": {**middle, "value": max(0.0, -min(cash))},
    }
    return Figures.model_validate(
        {
            "verdict": "release",
            "gates": 1,
            "gates_refused": 0,
            "gate_results": [{"name": "accuracy", "passed": True}],
            "accuracy": {**ranged, "n": 10},
            "model_bytes": 1,
            "wheel_bytes": 2,
            "latency_ms": {"value": 1.0, "p95": 2.0, "p99": 3.0},
            "unit_cost_usd_per_million": ranged,
            "price_usd_per_million": 2.0,
            "gross_margin": ranged,
            "break_even_answers_per_month": {"value": None},
            "break_even_with_team_answers_per_month": {"value": None},
            "assumed_share_of_cost": 0.5,
            "investment": investment,
            "reasons": [],
            "currency_per_usd": {"value": 1.0},
            "plan": {"horizon_months": len(cash) - 1, "discount_rate": 0.15, "draws": 10},
            "cashflow": [
                {"month": month, "cumulative": amount} for month, amount in enumerate(cash)
            ],
            **changes,
        }
    )


def test_plans_and_means_add_up_and_lines_that_need_money_at_other_times_need_less_together() -> (
    None
):
    found = together(
        {
            "early": figures((-50.0, -10.0, 40.0), -20.0, 0.2),
            "late": figures((-5.0, -60.0, -30.0), 70.0, 0.7),
        }
    )
    assert (found["revenue_usd"], found["npv_usd"], found["npv_mean_usd"]) == (200.0, 50.0, 52.0)
    # -70 in the second month
    assert (found["funding_usd"], found["funding_apart_usd"]) == (70.0, 110.0)
    assert (found["lines"], found["released"], found["most_likely"], found["comparable"]) == (
        2,
        2,
        "late",
        True,
    )


def test_a_line_alone_is_itself_and_one_that_never_lacks_money_needs_none() -> None:
    assert together({"one": figures((5.0, 10.0), 3.0)})["funding_usd"] == 0.0
    assert together({"one": figures((-5.0, 10.0), 3.0)})["npv_usd"] == 3.0


@pytest.mark.parametrize(
    "other",
    [
        figures((-1.0, 1.0, 2.0), 1.0),
        figures((-1.0, 1.0), 1.0, plan={"horizon_months": 1, "discount_rate": 0.1, "draws": 10}),
    ],
)
def test_plans_of_other_horizons_or_rates_have_no_sum(other: Figures) -> None:
    found = together({"one": figures((-1.0, 1.0), 1.0), "other": other})
    assert not found["comparable"]
    assert [
        found[name]
        for name in ("revenue_usd", "npv_usd", "npv_mean_usd", "funding_usd", "funding_apart_usd")
    ] == [None] * 5


def test_a_held_release_is_counted_as_a_line_and_not_as_released() -> None:
    found = together(
        {"one": figures((-1.0, 1.0), 1.0), "held": figures((-1.0, 1.0), 1.0, verdict="hold")}
    )
    assert (found["lines"], found["released"]) == (2, 1)
