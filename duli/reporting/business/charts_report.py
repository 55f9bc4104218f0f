"""All charts of the business report by name, from business.json and a language."""

from collections.abc import Mapping
from typing import Any

from duli.reporting.business import charts_cost, charts_investment, charts_market
from duli.reporting.business.speech import Speech

BREAK_EVEN = ("subscribers", "licences_per_month", "clients")


def draw(facts: Mapping[str, Any], speech: Speech, *, review: bool) -> dict[str, str]:
    """SVGs by name; `review`: people decide the unsure answers, which is a part of the cost."""
    parts = {
        part: amount
        for part, amount in facts["cost_usd_per_million"].items()
        if review or part != "review"
    }
    price, lines, investment = (
        facts["price_usd_per_million"],
        facts["break_even"]["lines"],
        facts["investment"],
    )
    return {
        "waterfall": charts_cost.waterfall(
            parts, facts["unit_cost_usd_per_million"]["value"], price, speech
        ),
        "positions": charts_cost.positions(facts["services"], price, speech),
        **{
            of: charts_cost.break_even(
                [line for line in lines if line["of"] == of], facts["break_even"][of], of, speech
            )
            for of in BREAK_EVEN
        },
        "distribution": charts_investment.distribution(
            investment["npv_usd"], investment["npv_distribution"], speech
        ),
        "tornado": charts_investment.tornado(
            facts["tornado"], investment["npv_usd"]["value"], speech
        ),
        "shares": charts_investment.shares(facts["sobol"], speech),
        "cash": charts_investment.cash(facts["cashflow"], speech),
        "sizes": charts_market.sizes(facts["publishers"], speech),
        "adoption": charts_market.adoption(facts["cashflow"], speech),
        "positioning": charts_market.positioning(facts["competitors"]["listed"], price, speech),
    }
