"""Rules of entry, price and differentiation: which numbers are compared, and how. What follows from
the outcome is worded by the reporting side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from duli.base.errors import DataError
from duli.base.tasks import Score
from duli.economics.market import Market, Row


@dataclass(frozen=True)
class Rule:
    """A comparison of two numbers; `right` is the name of a number, or the number itself."""

    name: str
    topic: Literal["price", "entry", "differentiation", "investment"]
    left: str
    relation: Literal["at least", "at most"]
    right: str | float


def rules(score: Score) -> tuple[Rule, ...]:
    """The rules of a line whose releases are judged by `score`."""
    return (
        Rule("price_pays", "price", "business.gross_margin.value", "at least", 0.0),
        Rule("price_pays_at_the_worst", "price", "business.gross_margin.low", "at least", 0.0),
        Rule(
            "cheaper_than_every_service",
            "price",
            "business.price_usd_per_million",
            "at most",
            "business.service_usd_per_million.low",
        ),
        Rule(
            "cheaper_than_the_middle",
            "price",
            "business.price_usd_per_million",
            "at most",
            "business.service_usd_per_million.median",
        ),
        Rule(
            "margin_of_software",
            "price",
            "business.gross_margin.value",
            "at least",
            "market.saas.gross_margin.low",
        ),
        Rule(
            "ships_what_costs_least",
            "price",
            "business.variants.shipped.unit_cost_usd_per_million",
            "at most",
            "business.variants.fp32.unit_cost_usd_per_million",
        ),
        Rule(
            "on_the_customers_machines",
            "differentiation",
            "business.competitors.on_premise_share",
            "at most",
            0.5,
        ),
        Rule(
            "open_weights",
            "differentiation",
            "business.competitors.open_weights_share",
            "at most",
            0.5,
        ),
        Rule(
            "fast_enough_to_promise",
            "differentiation",
            "business.latency_ms.p99",
            "at most",
            "business.slo_ms",
        ),
        Rule(
            "accurate_enough",
            "differentiation",
            f"business.{score.key}.{score.worst}",
            "at least" if score.better == "higher" else "at most",
            f"market.requirement.{score.key}",
        ),
        Rule("signed", "differentiation", "manifest.signed", "at least", 1.0),
        Rule(
            "one_segment_first", "entry", "business.market.largest_segment_share", "at least", 0.5
        ),
        Rule(
            "subscribers_can_carry_it",
            "entry",
            "business.break_even.subscribers",
            "at most",
            "business.market.som_accounts",
        ),
        Rule(
            "lead_with_subscription",
            "entry",
            "business.models.subscription.npv_usd.value",
            "at least",
            "business.models.best_npv_usd",
        ),
        Rule(
            "lead_with_one_time",
            "entry",
            "business.models.one_time.npv_usd.value",
            "at least",
            "business.models.best_npv_usd",
        ),
        Rule(
            "lead_with_services",
            "entry",
            "business.models.services.npv_usd.value",
            "at least",
            "business.models.best_npv_usd",
        ),
        Rule(
            "likely_to_pay",
            "investment",
            "business.investment.npv_positive_probability",
            "at least",
            0.5,
        ),
        Rule(
            "customers_are_worth_it",
            "investment",
            "business.subscription.ltv_to_cac.value",
            "at least",
            "market.saas.ltv_to_cac",
        ),
        Rule(
            "customers_pay_soon",
            "investment",
            "business.subscription.cac_payback_months.value",
            "at most",
            "market.saas.cac_payback",
        ),
        Rule(
            "selling_is_efficient",
            "investment",
            "business.subscription.cac_to_first_year_revenue.value",
            "at most",
            "market.saas.new_cac_ratio",
        ),
        Rule(
            "known_well_enough",
            "investment",
            "business.investment.npv_variance_from_assumed",
            "at most",
            0.5,
        ),
    )


# Which rule tells whether a need of a segment, `need.<segment>.<need>`, is met.
NEEDS = {
    "price": "cheaper_than_the_middle",
    "accuracy": "accurate_enough",
    "latency": "fast_enough_to_promise",
    "on_premise": "on_the_customers_machines",
}


def judge(rules: Sequence[Rule], numbers: Mapping[str, float]) -> list[dict[str, Any]]:
    """Judges each rule by the numbers; a rule with a missing number is unknown, which is no reason
    to go on.
    """
    return [_judge(rule, numbers) for rule in rules]


def thresholds(facts: Market) -> dict[str, float]:
    """The market facts as numbers that rules can name: market.<id>, and its ends market.<id>.low
    and .high.
    """
    return {
        name: number
        for row in facts.rows.values()
        for name, number in (
            (f"market.{row.id}", row.value),
            (f"market.{row.id}.low", row.low),
            (f"market.{row.id}.high", row.high),
        )
    }


def fit(judged: Sequence[Mapping[str, Any]], needs: Sequence[Row]) -> dict[str, float]:
    """The share of each segment's needs, by weight, that the judged rules say are met; unknown
    counts as not met.

    Raises `DataError` for a need that no rule judges.
    """
    holds = {rule["rule"]: rule["holds"] for rule in judged}
    weights: dict[str, list[tuple[float, bool]]] = {}
    for row in needs:
        _, segment, need = row.id.split(".") if row.id.count(".") == 2 else ("", "", "")
        if need not in NEEDS:
            raise DataError(
                f"{row.place}, column id: '{row.id}' is no need.<segment>.<need>; the needs are"
                f" {', '.join(NEEDS)}"
            )
        weights.setdefault(f"segment.{segment}", []).append(
            (row.value, holds.get(NEEDS[need]) is True)
        )
    totals = {name: sum(weight for weight, _ in pairs) for name, pairs in weights.items()}
    return {
        name: sum(w for w, met in pairs if met) / totals[name] if totals[name] else 0.0
        for name, pairs in weights.items()
    }


def compare(left: float, relation: str, right: float) -> bool:
    """Whether `left` is at least, or at most, `right`."""
    return left >= right if relation == "at least" else left <= right


def _judge(rule: Rule, numbers: Mapping[str, float]) -> dict[str, Any]:
    left = numbers.get(rule.left)
    right = numbers.get(rule.right) if isinstance(rule.right, str) else rule.right
    holds = None if left is None or right is None else compare(left, rule.relation, right)
    return {
        "rule": rule.name,
        "topic": rule.topic,
        "left": rule.left,
        "left_value": left,
        "relation": rule.relation,
        "right": rule.right if isinstance(rule.right, str) else "",
        "right_value": right,
        "holds": holds,
    }
