"""The value of a plan under uncertain inputs: point, draws, sensitivity, and the conditions under
which it pays.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from duli.economics import cashflow, cost, draws, sizing
from duli.economics.cashflow import Flows, Venture
from duli.economics.cost import MILLION, Mode
from duli.economics.draws import Draws, Floats, Uncertain
from duli.economics.reasons import Code, Reason
from duli.economics.required import Needed, at_zero, rising

MODELS = {"subscription": (1.0, 0.0, 0.0), "one_time": (0.0, 1.0, 0.0), "services": (0.0, 0.0, 1.0)}
# draws for each point of the variance indices, which take a run for every input at each point
PER_POINT = 8
MOST_POINTS = 4096  # a power of two; more would take gigabytes and tell nothing new
CHUNK = 8192  # draws at a time: the flows of a month then stay in the processor's cache
# draws that the band around the cash by month is taken from, however many there are: they stand in
# memory at once
BAND = 2 * CHUNK
DEAREST = 1e9  # USD per million, or USD a customer: above any price that is meant


@dataclass(frozen=True)
class Plan:
    """The decisions of the plan; everything else is an input with a range."""

    mode: Mode
    months: int
    discount: float  # a year
    mix: tuple[float, float, float]  # subscription, one-time purchase, services
    segments: tuple[str, ...]
    draws: int
    seed: int


def venture(
    plan: Plan, figures: Mapping[str, Any], mix: tuple[float, float, float] | None = None
) -> Venture:
    """The inputs of the cash flow, from the register's names; accounts and their volume are counted
    over the segments.
    """
    accounts, volume = sizing.accounts(figures, plan.segments)
    shares = dict(zip(MODELS, mix or plan.mix, strict=True))
    made = {"accounts": accounts, "account_volume": volume, **shares}
    return Venture(
        **{
            field.name: made[field.name] if field.name in made else figures[field.name]
            for field in fields(Venture)
        }
    )


def drawn(inputs: Mapping[str, Uncertain], plan: Plan) -> Draws:
    """The draws that all figures of a report share."""
    return draws.hypercube(inputs, plan.draws, plan.seed)


def worth(plan: Plan, figures: Draws, mix: tuple[float, float, float] | None = None) -> Floats:
    """NPV in USD, [n], of draws [n]."""
    return np.concatenate(
        [cashflow.npv(plan.discount, _flows(plan, part, mix).net) for part in _parts(figures)]
    )


def investment(
    plan: Plan,
    inputs: Mapping[str, Uncertain],
    sample: Draws,
    mix: tuple[float, float, float] | None = None,
) -> dict[str, Any]:
    """NPV, IRR, payback, revenue and investment, at the point and over the draws; `reasons` for
    missing numbers.
    """
    one = _flows(plan, draws.point(inputs), mix)
    many = [_summary(plan, _flows(plan, part, mix)) for part in _parts(sample)]
    over = {name: np.concatenate([part[name] for part in many]) for name in many[0]}
    at = {name: float(value[0]) for name, value in _summary(plan, one).items()}
    found: dict[str, Any] = {
        name: {"value": _finite(at[name]), **draws.percentiles(over[name])} for name in at
    }
    found["npv_usd"]["mean"] = float(over["npv_usd"].mean())
    found["npv_positive_probability"] = float(np.mean(over["npv_usd"] > 0))
    found["npv_distribution"] = draws.histogram(over["npv_usd"])
    found["reasons"] = _reasons(
        found, {"irr_per_year": "no_single_rate", "payback_months": "never_paid_back"}
    )
    return found


def table(plan: Plan, inputs: Mapping[str, Uncertain], sample: Draws) -> list[dict[str, Any]]:
    """Monthly cash of the plan at the point in USD, and P10, P50 and P90 of the draws of cumulative
    cash.
    """
    one = _flows(plan, draws.point(inputs), None)
    over = np.cumsum(
        _flows(plan, {name: column[:BAND] for name, column in sample.items()}, None).net, axis=0
    )
    columns = {field.name: getattr(one, field.name)[:, 0] for field in fields(one)}
    columns |= {
        "revenue": one.revenue[:, 0],
        "net": one.net[:, 0],
        "cumulative": np.cumsum(one.net[:, 0]),
    }
    return [
        {"month": month, **{name: float(column[month]) for name, column in columns.items()}}
        | {
            f"cumulative_{share}": amount
            for share, amount in draws.percentiles(over[month]).items()
        }
        for month in range(plan.months + 1)
    ]


def subscription(plan: Plan, inputs: Mapping[str, Uncertain], sample: Draws) -> dict[str, Any]:
    """Revenue and cost of one subscriber, at the point and over the draws: ARPA, contribution, LTV,
    CAC and its payback.
    """
    at = {
        name: float(np.ravel(value)[0])
        for name, value in _customer(plan, draws.point(inputs)).items()
    }
    over = _customer(plan, sample)
    found: dict[str, Any] = {
        name: {"value": _finite(at[name]), **draws.percentiles(over[name])} for name in at
    }
    brings, ends = found["arpa_usd_per_month"]["value"] != 0, found["ltv_usd"]["value"] is not None
    found["reasons"] = _reasons(
        found,
        {
            **dict.fromkeys(("ltv_usd", "ltv_discounted_usd"), "no_churn"),
            "ltv_to_cac": "free_acquisition" if ends else "no_churn",
            "cac_to_first_year_revenue": "no_revenue",
            "cac_payback_months": "customer_costs_more" if brings else "no_revenue",
        },
    )
    return found


def break_even(plan: Plan, inputs: Mapping[str, Uncertain]) -> dict[str, Any]:
    """Customers from whom a month pays for itself, once the team is that of after the launch, by
    each way of buying.

    subscription: subscribers; one_time: licences sold each month, after the cost of winning their
    buyers; services: clients on a monthly order. `lines` are revenue and cost of a month, USD, from
    no customer to twice those needed (or to all that can be won, where no number of them pays);
    `reasons` say why there is none.
    """
    at = {name: one.value for name, one in inputs.items()}
    fixed = at["team"] * at["upkeep"]
    of = venture(plan, at)
    volume = float(of.account_volume)
    support = volume * at["tickets"] / MILLION * at["ticket"]
    # of whatever volume
    answers = cost.break_even_answers(_unit(of, volume or 1.0), plan.mode, at["price"], fixed)
    accepted = volume * (at["coverage"] if plan.mode == "abstain" else 1.0)
    needed = {
        "subscribers": answers / accepted if answers is not None and accepted else None,
        "licences_per_month": cost.break_even_volume(fixed, at["licence"], at["cac"] + support),
        "clients": cost.break_even_volume(
            fixed, at["day_rate"] * at["days_per_month"], at["day_cost"] * at["days_per_month"]
        ),
    }

    def subscribers(number: float) -> tuple[float, float]:
        sold = number * accepted / MILLION
        return sold * at["price"], (
            sold * cost.unit_cost(_unit(of, number * volume), plan.mode).total if sold else 0.0
        )

    def licences(number: float) -> tuple[float, float]:
        return number * at["licence"], number * (at["cac"] + support)

    def clients(number: float) -> tuple[float, float]:
        return (
            number * at["days_per_month"] * at["day_rate"],
            number * at["days_per_month"] * at["day_cost"],
        )

    lines = []
    for (name, most), month in zip(needed.items(), (subscribers, licences, clients), strict=True):
        for step in (0.0, 0.5, 1.0, 1.5, 2.0):
            number = step * (most if most is not None else float(of.accounts) / 2)
            revenue, spent = month(number)
            lines.append(
                {"of": name, "customers": number, "revenue_usd": revenue, "cost_usd": fixed + spent}
            )
    unpaid: dict[str, Code] = {} if accepted else {"subscribers": "no_revenue"}
    reasons = [
        {"key": name, "reason": Reason(unpaid.get(name, "price_below_customer"))}
        for name, number in needed.items()
        if number is None
    ]
    return {**needed, "lines": lines, "reasons": reasons}


def required(plan: Plan, inputs: Mapping[str, Uncertain]) -> dict[str, Needed]:
    """The inputs at which the NPV of the point is zero: the lowest price, accuracy and number of
    accounts, the dearest customer, review and error.
    """
    at = draws.point(inputs)

    def worth_with(name: str, value: float) -> float:
        return float(worth(plan, {**at, name: np.array([value])})[0])

    def accounts(factor: float) -> float:
        names = [f"{segment}.accounts" for segment in plan.segments]
        return float(worth(plan, {**at, **{name: factor * at[name] for name in names}})[0])

    def most(name: str) -> Needed:
        high = _falling(lambda value: worth_with(name, value), max(inputs[name].value, 1e-6))
        return at_zero(lambda value: worth_with(name, value), 0.0, high, "less")

    def least(name: str, high: float) -> Needed:
        return at_zero(lambda value: worth_with(name, value), 0.0, high, "more")

    price_end = rising(lambda value: worth_with("price", value), inputs["price"].value, DEAREST)
    factor = at_zero(accounts, 0.0, rising(accounts, 1.0, 1e6), "more")
    som = float(
        np.ravel(
            sizing.accounts({name: one.value for name, one in inputs.items()}, plan.segments)[0]
        )[0]
    )
    return {
        "price": least("price", price_end),
        "accuracy": least("accuracy", 1.0),
        "accounts": Needed(None if factor.value is None else factor.value * som, factor.reason),
        "cac": most("cac"),
        "error": most("error"),
        "review": most("review"),
    }


def sensitivity(
    plan: Plan, inputs: Mapping[str, Uncertain], assumed: Sequence[str]
) -> dict[str, Any]:
    """The inputs that move the NPV: each alone (tornado), its share of the variance (Sobol), and
    that of all `assumed` together.
    """

    def model(figures: Draws) -> Floats:
        return worth(plan, figures)

    points = min(2 ** int(math.log2(plan.draws / PER_POINT)), MOST_POINTS)
    share = draws.variance_share(model, inputs, assumed, points * PER_POINT, plan.seed)
    return {
        "tornado": draws.tornado(model, inputs),
        "sobol": draws.sobol(model, inputs, points, plan.seed),
        "npv_variance_from_assumed": share,
    }


def _falling(worth: Any, start: float) -> float:
    """The first of `start` times 2, 4, 8, ... at which `worth` is not positive, at most
    `DEAREST`.
    """
    return rising(lambda value: -worth(value), start, DEAREST)


def _flows(plan: Plan, figures: Mapping[str, Any], mix: tuple[float, float, float] | None) -> Flows:
    return cashflow.flows(venture(plan, figures, mix), plan.mode, plan.months)


def _parts(figures: Draws) -> list[Draws]:
    n = len(next(iter(figures.values())))
    return [
        {name: column[start : start + CHUNK] for name, column in figures.items()}
        for start in range(0, n, CHUNK)
    ]


def _summary(plan: Plan, of: Flows) -> dict[str, Floats]:
    """The totals of a plan, each [n]; rates and months that do not exist count as
    infinitely bad.
    """
    net = of.net
    rate = cashflow.irr(net)
    return {
        "npv_usd": cashflow.npv(plan.discount, net),
        "irr_per_year": np.where(np.isnan(rate), -np.inf, rate),
        "payback_months": cashflow.payback(net),
        "revenue_usd": of.revenue.sum(axis=0),
        # The most money that is out at one time.
        "funding_usd": -np.minimum(np.cumsum(net, axis=0).min(axis=0), 0.0),
        "build_usd": of.build.sum(axis=0),
        "compute_usd": of.machines.sum(axis=0),
    }


def _customer(plan: Plan, figures: Draws) -> dict[str, Any]:
    of = venture(plan, figures)
    arpa, margin = cashflow.contribution(of, plan.mode)
    churn, rate = cashflow.monthly(of.churn), cashflow.monthly_rate(plan.discount)
    ltv = cashflow.lifetime_value(arpa, margin, churn)
    return {
        "arpa_usd_per_month": arpa,
        "contribution_margin": margin,
        "ltv_usd": ltv,
        "ltv_discounted_usd": cashflow.lifetime_value(arpa, margin, churn, rate),
        "cac_usd": of.cac,
        "ltv_to_cac": _ratio(ltv, of.cac),
        "cac_to_first_year_revenue": _ratio(of.cac, arpa * cashflow.MONTHS_PER_YEAR),
        "cac_payback_months": cashflow.cac_payback(of.cac, arpa, margin),
    }


def _ratio(part: Any, whole: Any) -> Floats:
    """part / whole, infinite if the whole is nothing."""
    above, below = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.asarray(np.divide(above, below, out=np.full(below.shape, np.inf), where=below > 0))


def _unit(of: Venture, volume: float) -> cost.Inputs:
    """The unit cost's inputs of a plan, at a volume a month."""
    names = [field.name for field in fields(cost.Inputs) if field.name != "volume"]
    return cost.Inputs(**{name: float(getattr(of, name)) for name in names}, volume=volume)


def _reasons(found: Mapping[str, Any], why: Mapping[str, Code]) -> list[dict[str, Any]]:
    """The reasons for missing numbers; the ends of a range share the reason of its value."""
    return [
        {"key": f"{name}.{end}", "reason": Reason(why.get(name, "not_finite"))}
        for name, figure in found.items()
        if isinstance(figure, Mapping)
        for end, number in figure.items()
        if number is None
    ]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
