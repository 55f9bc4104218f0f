"""Summary of a release's economics: every figure with its range, its drivers, and the share that is
assumed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from duli.economics import cost
from duli.economics.cost import Inputs, Mode
from duli.economics.reasons import Reason

# Which inputs a part of the cost follows from: it is no better founded than the weakest of them.
PARTS = {
    "compute": ("price_per_hour", "throughput", "utilisation"),
    "idle": ("price_per_hour", "throughput", "utilisation", "instances", "volume"),
    "review": ("coverage", "review"),
    "errors": ("coverage", "accuracy", "error"),
    "support": ("tickets", "ticket"),
}
WEAKEST_FIRST = ("assumed", "cited", "measured")

Ranges = Mapping[str, tuple[float, float]]


def economics(
    inputs: Inputs, ranges: Ranges, mode: Mode, price: float, team: tuple[float, float, float]
) -> dict[str, Any]:
    """Unit cost, gross margin and break-even with their ranges; `price` in USD per million accepted
    answers.

    `team` is value, low and high of what the people cost in a month. Where something has no value
    (the price covers no variable cost, so no volume pays), it is None and `reasons` says why.
    """

    def ranged(
        measure: Callable[[Inputs, float], float | None], fixed: tuple[float, float, float]
    ) -> dict[str, float | None]:
        def at(monthly: float) -> Callable[[Inputs], float]:
            return lambda varied: math.inf if (found := measure(varied, monthly)) is None else found

        value, low, high = fixed
        ends = (
            at(value)(inputs),
            cost.bounds(at(low), inputs, ranges)[0],
            cost.bounds(at(high), inputs, ranges)[1],
        )
        return dict(
            zip(
                ("value", "low", "high"),
                (end if math.isfinite(end) else None for end in ends),
                strict=True,
            )
        )

    nothing = (0.0, 0.0, 0.0)
    figures: dict[str, Any] = {
        "unit_cost_usd_per_million": ranged(
            lambda varied, _: cost.unit_cost(varied, mode).total, nothing
        ),
        "cost_usd_per_million": asdict(cost.unit_cost(inputs, mode)),
        "gross_margin": ranged(
            lambda varied, _: cost.gross_margin(price, cost.unit_cost(varied, mode).total), nothing
        ),
        "break_even_answers_per_month": ranged(
            lambda varied, _: cost.break_even_answers(varied, mode, price), nothing
        ),
        "break_even_with_team_answers_per_month": ranged(
            lambda varied, fixed: cost.break_even_answers(varied, mode, price, fixed), team
        ),
        "break_even_price_with_team_usd_per_million": ranged(
            lambda varied, fixed: cost.break_even_price(varied, mode, fixed), team
        ),
    }
    figures["reasons"] = [
        {"key": f"{name}.{end}", "reason": Reason("price_below_answer")}
        for name, figure in figures.items()
        for end, number in figure.items()
        if number is None
    ]
    return figures


def movers(inputs: Inputs, ranges: Ranges, mode: Mode) -> list[dict[str, Any]]:
    """Every input with a range: its ends, and the unit cost at them with all else unchanged; the
    strongest first.
    """
    swings = cost.swings(lambda varied: cost.unit_cost(varied, mode).total, inputs, ranges)
    return [
        {
            "input": name,
            "low": ranges[name][0],
            "high": ranges[name][1],
            "cost_at_low": at_low,
            "cost_at_high": at_high,
        }
        for name, (at_low, at_high) in swings.items()
    ]


def kinds(of_inputs: Mapping[str, str]) -> dict[str, str]:
    """The provenance of each part of the cost: that of its weakest input (measured, cited or
    assumed).
    """
    return {
        part: min((of_inputs[name] for name in names), key=WEAKEST_FIRST.index)
        for part, names in PARTS.items()
    }


def assumed_share(parts: Mapping[str, float], of_parts: Mapping[str, str]) -> float:
    """The share of the unit cost that rests on an assumption; 0 where nothing costs anything."""
    total = sum(parts.values())
    return (
        sum(amount for part, amount in parts.items() if of_parts[part] == "assumed") / total
        if total
        else 0.0
    )
