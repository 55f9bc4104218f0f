"""The sum of the plans of several release lines, as far as it holds without knowing how they depend
on one another.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of business.json that a portfolio needs; the rest is ignored."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class Middle(Part):
    """An amount over the draws of the plan; `value` is that of the plan itself."""

    value: float
    p10: float
    p50: float
    p90: float


class Worth(Middle):
    """The net present value, in USD."""

    mean: float


class Ranged(Part):
    """A number between the ends that all inputs at their best and at their worst give it."""

    value: float
    low: float
    high: float


class Score(Ranged):
    """A measured share with its 95 % interval."""

    n: int


class Latency(Part):
    """Milliseconds an answer, one example on one thread."""

    value: float
    p95: float
    p99: float


class Value(Part):
    """A number that may be missing, for a reason that business.json gives."""

    value: float | None


class Investment(Part):
    """The value of the plan at its mix of business models."""

    npv_usd: Worth
    npv_positive_probability: float
    npv_variance_from_assumed: float | None
    revenue_usd: Middle
    funding_usd: Middle


class Plan(Part):
    """The terms that two plans have to share before their amounts may be added."""

    horizon_months: int
    discount_rate: float
    draws: int


class Month(Part):
    """A month of the plan: USD that came in less USD that went out, up to its end."""

    month: int
    cumulative: float


class Judged(Part):
    """A gate."""

    name: str
    passed: bool


class Reason(Part):
    """The reason why the number at `key` is missing."""

    key: str
    reason: str


class Figures(Part):
    """The business report of one release, but for its score."""

    verdict: Literal["release", "hold"]
    gates: int
    gates_refused: int
    gate_results: list[Judged]
    model_bytes: int
    wheel_bytes: int
    latency_ms: Latency
    unit_cost_usd_per_million: Ranged
    price_usd_per_million: float
    gross_margin: Ranged
    break_even_answers_per_month: Value
    break_even_with_team_answers_per_month: Value
    assumed_share_of_cost: float
    investment: Investment
    plan: Plan
    cashflow: list[Month] = Field(min_length=1)
    reasons: list[Reason]
    currency_per_usd: Value


def together(lines: Mapping[str, Figures]) -> dict[str, Any]:
    """Sums over all lines, and which is most likely to pay; amounts are None if the plans differ
    in horizon or discount rate.

    What is planned adds up, and so do means, however the lines depend on one another; percentiles
    do not, and are not added. Cash is the most that is out at one time where all lines begin in the
    same month: never more than what each of them needs by itself, added up.
    """
    plans = [figures.investment for figures in lines.values()]
    same = len({(one.plan.horizon_months, one.plan.discount_rate) for one in lines.values()}) == 1
    months = zip(
        *([month.cumulative for month in figures.cashflow] for figures in lines.values()),
        strict=same,
    )
    sums = {
        "revenue_usd": sum(plan.revenue_usd.value for plan in plans),
        "npv_usd": sum(plan.npv_usd.value for plan in plans),
        "npv_mean_usd": sum(plan.npv_usd.mean for plan in plans),
        "funding_usd": max(0.0, -min(map(sum, months))),
        "funding_apart_usd": sum(plan.funding_usd.value for plan in plans),
    }
    return {
        "lines": len(lines),
        "released": sum(figures.verdict == "release" for figures in lines.values()),
        "most_likely": max(lines, key=lambda name: lines[name].investment.npv_positive_probability),
        "comparable": same,
        **(sums if same else dict.fromkeys(sums)),
    }
