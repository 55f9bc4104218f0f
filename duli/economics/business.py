"""All figures of the business report, from numbers alone: the measurements of a run, the market
facts, and the plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from duli.base.errors import DataError
from duli.economics import cost, draws, energy, register, sizing, summary, threshold
from duli.economics import plan as plans
from duli.economics.market import Market, conflicting, flags
from duli.economics.params import Report
from duli.economics.reasons import Reason

# what is known of a competitor, and its unit
OFFERS = {"on_premise": "yes or no", "open_weights": "yes or no", "latency": "ms"}
# times what computing costs: twice for what stands around the chips, twice for the margin (Sequoia
# 2023 and 2024)
LIFETIME_REVENUE = 4
# Inputs that may have to be true: how the report calls each, and whether more or less of it is
# better.
CONDITIONS = {
    "price": ("price_usd_per_million", "more"),
    "accuracy": ("accuracy_of_accepted", "more"),
    "accounts": ("som_accounts", "more"),
    "cac": ("cac_usd", "less"),
    "error": ("error_usd", "less"),
    "review": ("review_usd", "less"),
}


FULL, SHIPPED = "fp32", "shipped"  # names of the variants


@dataclass(frozen=True)
class Variant:
    """One file of the run: its throughput on the measured machine, and how sure and how right its
    answers to the test split are.
    """

    throughput: float  # predictions a second of the measured machine
    confidence: Any  # [n], probability of the answer
    correct: Any  # [n], 0 or 1


@dataclass(frozen=True)
class Run:
    """The measurements of one run, in the terms of the business report."""

    # accuracy_of_accepted, latency_ms, throughput_per_second, sizes, and what the task adds, such
    # as coverage and confidence_threshold where an answer may be refused
    measured: Mapping[str, Any]
    variants: Mapping[str, Variant]  # FULL, where it was asked, and SHIPPED
    slo_ms: float  # the latency objective, within which 99 of 100 calls stayed
    training_seconds: float
    training_usd: float | None  # on the rented machine; None if it ran on something else
    cores: float  # of the machine that trained and was measured
    memory_gib: float
    sources: register.Sources
    champion: dict[str, float]  # its figures by dotted name, empty if there is none

    @property
    def threshold(self) -> float | None:
        """The confidence from which an answer is accepted; None where all are."""
        threshold: float | None = self.measured.get("confidence_threshold")
        return threshold


@dataclass(frozen=True)
class Business:
    """The figures of the report, and the further needs of its page."""

    figures: dict[str, Any]  # business.json: numbers by key, lists for what is no metric
    kinds: dict[str, str]  # how well founded each part of the unit cost is
    register: list[register.Entry]


def business(plan: Report, facts: Market, run: Run) -> Business:
    """Unit cost, variants, threshold, business models, investment, conditions, market, competitors
    and energy of one run.
    """
    of_cost, of_plan = (
        register.unit_cost(plan, facts, run.measured, run.sources),
        register.venture(plan, facts, run.training_usd, run.sources),
    )
    inputs = cost.Inputs(**{entry["input"]: entry["value"] for entry in of_cost})
    ranges = {
        entry["input"]: (entry["low"], entry["high"])
        for entry in of_cost
        if entry["low"] < entry["high"]
    }
    kinds = summary.kinds({entry["input"]: entry["kind"] for entry in of_cost})
    price, mode = plan.price_per_1000 * 1000, plan.below_threshold
    team = next(entry for entry in of_plan if entry["input"] == "team")
    services, fx = register.services(facts, plan)
    everything = [*of_cost, *of_plan, *fx]

    figures = summary.economics(
        inputs, ranges, mode, price, (team["value"], team["low"], team["high"])
    )
    # Lists hold what a page shows and what is no metric: `dvc metrics` leaves lists out.
    found: dict[str, Any] = {
        **figures,
        "assumed_share_of_cost": summary.assumed_share(figures["cost_usd_per_million"], kinds),
        "idle_share_of_cost": _part(
            figures["cost_usd_per_million"]["idle"], figures["unit_cost_usd_per_million"]["value"]
        ),
        "price_usd_per_million": price,
        "price_usd_per_thousand": plan.price_per_1000,
        "slo_ms": run.slo_ms,
        "stale_days": plan.stale_days,
        "plan": _decided(plan),
        "market_facts": _quality(facts, plan),
        "currency_per_usd": _currency(facts, plan),
        **run.measured,
        "training_seconds": run.training_seconds,
        "training_usd": run.training_usd,
        "service_usd_per_million": _middle([one["usd_per_million"] for one in services]),
        "variants": _variants(inputs, plan, run),
        **({"threshold": _threshold(inputs, plan, run)} if run.threshold is not None else {}),
        "market": _market(facts, plan, of_plan),
        "competitors": _competitors(facts, {one["id"]: one["usd_per_million"] for one in services}),
        "movers": summary.movers(inputs, ranges, mode),
        "services": services,
        "language_models": _language_models(facts, plan),
        "publishers": sizing.publishers(facts.group(plan.market_size), plan.market_size),
        "conflicts": conflicting(facts.rows.values()),
        "register": everything,
    }
    _add(found, {"modes": _modes(inputs), "energy": _energy(facts, plan, run)})
    _add(
        found,
        _worth(
            plan,
            register.uncertain([*of_cost, *of_plan]),
            [*of_cost, *of_plan],
            register.segments(facts),
        ),
    )
    return Business(found, kinds, everything)


def _worth(
    plan: Report,
    inputs: Mapping[str, draws.Uncertain],
    entries: Sequence[register.Entry],
    segments: tuple[str, ...],
) -> dict[str, Any]:
    """The value of the plan and of each of its three business models, the inputs that move it, and
    the conditions under which it pays.
    """
    mix = (plan.mix.subscription, plan.mix.one_time, plan.mix.services)
    decided = plans.Plan(
        plan.below_threshold,
        plan.horizon_months,
        plan.discount_rate,
        mix,
        segments,
        plan.draws,
        plan.seed,
    )
    sample = plans.drawn(inputs, decided)
    moved = plans.sensitivity(
        decided, inputs, [entry["input"] for entry in entries if entry["kind"] == "assumed"]
    )
    whole = plans.investment(decided, inputs, sample)
    whole["npv_variance_from_assumed"] = moved["npv_variance_from_assumed"]
    if moved["npv_variance_from_assumed"] is None:
        whole["reasons"].append({"key": "npv_variance_from_assumed", "reason": Reason("no_range")})
    whole["required_revenue_usd"] = LIFETIME_REVENUE * whole["compute_usd"]["value"]
    alone = {
        name: plans.investment(decided, inputs, sample, shares)
        for name, shares in plans.MODELS.items()
    }
    needed = plans.required(decided, inputs)
    why = {
        name: None if one.reason is None else Reason(one.reason, name)
        for name, one in needed.items()
    }
    som = float(sizing.accounts({name: one.value for name, one in inputs.items()}, segments)[0])
    today = {name: som if name == "accounts" else inputs[name].value for name in CONDITIONS}
    return {
        "investment": whole,
        "models": {
            **alone,
            "best_npv_usd": max(one["npv_usd"]["value"] for one in alone.values()),
            "reasons": [],
        },
        "subscription": plans.subscription(decided, inputs, sample),
        "break_even": plans.break_even(decided, inputs),
        "required": {
            **{key: needed[name].value for name, (key, _) in CONDITIONS.items()},
            "reasons": [
                {"key": key, "reason": why[name]}
                for name, (key, _) in CONDITIONS.items()
                if why[name]
            ],
        },
        "conditions": [
            {
                "measure": key,
                "today": today[name],
                "needed": needed[name].value,
                "better": better,
                "reason": why[name],
                "met": _met(today[name], needed[name].value, better),
            }
            for name, (key, better) in CONDITIONS.items()
        ],
        "tornado": moved["tornado"],
        "sobol": moved["sobol"],
        "cashflow": plans.table(decided, inputs, sample),
    }


def _met(today: float, needed: float | None, better: str) -> bool | None:
    if needed is None:
        return None
    return today >= needed if better == "more" else today <= needed


def _add(found: dict[str, Any], more: dict[str, Any]) -> None:
    """Adds figures, and gathers their reasons in the one list that says why a number is missing, by
    full key.
    """
    for name, figure in more.items():
        found["reasons"] += _taken(figure, name)
        found[name] = figure


def _taken(figure: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(figure, dict):
        return []
    own = [
        {"key": f"{name}.{entry['key']}", "reason": entry["reason"]}
        for entry in figure.pop("reasons", [])
    ]
    return own + [
        entry for key, inner in figure.items() for entry in _taken(inner, f"{name}.{key}")
    ]


def _variants(inputs: cost.Inputs, plan: Report, run: Run) -> dict[str, Any]:
    """The unit cost with each file of the run in place of the shipped one, and with the champion's
    figures at the prices of today.
    """
    shipped = run.variants[SHIPPED].throughput
    at = {
        name: (
            variant.throughput,
            *threshold.at(run.threshold or 0.0, variant.confidence, variant.correct),
        )
        for name, variant in run.variants.items()
    }
    everything = {"business.coverage.value": 1.0} if run.threshold is None else {}
    past = [
        (everything | run.champion).get(f"business.{key}.value")
        for key in ("throughput_per_second", "coverage", "accuracy_of_accepted")
    ]
    if all(number is not None for number in past):
        speed, coverage, accuracy = (float(number or 0) for number in past)
        at["champion"] = (speed, coverage, accuracy)
    # The rented machine is another than the measured one, by the same factor for all.
    found = {
        name: _variant(inputs, plan, inputs.throughput * speed / shipped, *rest)
        for name, (speed, *rest) in at.items()
    }
    return {name: costs for name, costs in found.items() if costs is not None}


def _variant(
    inputs: cost.Inputs, plan: Report, throughput: float, coverage: float, accuracy: float
) -> dict[str, float] | None:
    if plan.below_threshold == "abstain" and coverage <= 0:
        return None
    parts = cost.unit_cost(
        replace(inputs, throughput=throughput, coverage=coverage, accuracy=accuracy),
        plan.below_threshold,
    )
    return {
        "throughput_per_second": throughput,
        "coverage": coverage,
        "accuracy_of_accepted": accuracy,
        "unit_cost_usd_per_million": parts.total,
        "compute_usd_per_million": parts.compute,
        "errors_usd_per_million": parts.errors,
        "review_usd_per_million": parts.review,
        "gross_margin": cost.gross_margin(plan.price_per_1000 * 1000, parts.total),
    }


def _modes(inputs: cost.Inputs) -> dict[str, Any]:
    """The unit cost of both treatments of unsure answers; never both at once."""
    review = {"unit_cost_usd_per_million": cost.unit_cost(inputs, "review").total}
    if inputs.coverage > 0:
        return {
            "review": review,
            "abstain": {"unit_cost_usd_per_million": cost.unit_cost(inputs, "abstain").total},
        }
    why = {"key": "unit_cost_usd_per_million", "reason": Reason("no_sure_answer")}
    return {"review": review, "abstain": {"unit_cost_usd_per_million": None, "reasons": [why]}}


def _threshold(inputs: cost.Inputs, plan: Report, run: Run) -> dict[str, float]:
    """The confidence at which a million accepted answers cost least on the test split, beside the
    one in use.
    """

    def at(coverage: float, accuracy: float) -> float:
        if plan.below_threshold == "abstain" and coverage <= 0:
            return float("inf")
        return cost.unit_cost(
            replace(inputs, coverage=coverage, accuracy=accuracy), plan.below_threshold
        ).total

    shipped, used = run.variants[SHIPPED], float(run.threshold or 0.0)
    best, least = threshold.cheapest(threshold.curve(shipped.confidence, shipped.correct), at)
    coverage, accuracy = threshold.at(best, shipped.confidence, shipped.correct)
    now = at(*threshold.at(used, shipped.confidence, shipped.correct))
    fitted = threshold.cross_fitted(shipped.confidence, shipped.correct, at)
    return {
        "in_use": used,
        "in_use_usd_per_million": now,
        "cheapest": best,
        "cheapest_usd_per_million": least,
        "cheapest_cross_fitted_usd_per_million": fitted,
        "coverage": coverage,
        "accuracy_of_accepted": accuracy,
    }


def _market(facts: Market, plan: Report, entries: Sequence[register.Entry]) -> dict[str, Any]:
    """The market from published sizes down to the accounts that can be won; raises `DataError` if
    the parts exceed the whole.
    """
    values = {entry["input"]: entry["value"] for entry in entries}
    rows = sizing.sizes(values, register.segments(facts), plan.price_per_1000 * 1000)
    published = sizing.publishers(facts.group(plan.market_size), plan.market_size)
    tam = [one["first_usd"] for one in published]
    sam, som = (sum(row[key] for row in rows) for key in ("sam_usd_per_year", "som_usd_per_year"))
    if not tam:
        raise DataError(
            f"the market facts have no row '{plan.market_size}.<year>.by_<publisher>'; correct"
            " report.market_size"
        )
    if sam > min(tam):
        raise DataError(
            f"the segments would spend {sam:,.0f} USD a year, more than the smallest published size"
            f" of {plan.market_size} ({min(tam):,.0f} USD); correct their accounts or volumes"
        )
    return {
        "tam_usd_per_year": {"low": min(tam), "high": max(tam)},
        "sam_usd_per_year": sam,
        "som_usd_per_year": som,
        "som_accounts": sum(row["som_accounts"] for row in rows),
        "largest_segment_share": _part(max(row["som_usd_per_year"] for row in rows), som),
        "contradicting_publishers": sum(one["contradicts_itself"] for one in published),
        "segments": rows,
    }


def _competitors(facts: Market, prices: Mapping[str, float]) -> dict[str, Any]:
    """The competitors, and how many of them run on the customer's machines or hand over weights;
    None where unknown.
    """
    names = dict.fromkeys(row.id.split(".")[1] for row in facts.group("competitor"))
    rows: list[dict[str, Any]] = []
    for name in names:
        said = {
            key: facts.row(f"competitor.{name}.{key}", unit)
            for key, unit in OFFERS.items()
            if f"competitor.{name}.{key}" in facts.rows
        }
        if not said:
            raise DataError(
                f"competitor.{name} says none of {', '.join(OFFERS)}; add a row"
                f" competitor.{name}.on_premise"
            )
        offer = {key: said[key].value if key in said else None for key in OFFERS}
        first = next(iter(said.values()))
        rows.append(
            {
                "name": name,
                "usd_per_million": prices.get(f"service.{name}"),
                **offer,
                "kind": first.kind,
                "source": first.source_title,
                "url": first.source_url,
                "note": first.note,
                "note_zh": first.note_zh,
            }
        )
    counts = {
        f"{key}_share": _mean([row[key] for row in rows if row[key] is not None])
        for key in ("on_premise", "open_weights")
    }
    return {
        "n": len(rows),
        **{key: share for key, share in counts.items() if share is not None},
        "listed": rows,
    }


def _energy(facts: Market, plan: Report, run: Run) -> dict[str, Any]:
    """Energy and carbon of the training and of a million predictions on the machine that was
    measured: estimated, no meter was read.
    """
    rows = {
        "pue": facts.row("energy.pue", "ratio"),
        "watts_per_core": facts.row("energy.watts_per_core", "W"),
        "watts_per_gib": facts.row("energy.watts_per_gib", "W per GiB"),
        "usage": facts.row("energy.usage", "share"),
    }
    carbon = facts.row(plan.carbon, "g per kWh")
    electricity = facts.row(plan.electricity, "per kWh")
    serving = cost.MILLION / run.measured["throughput_per_second"]["value"]
    found: dict[str, Any] = {}
    for end in ("value", "low", "high"):
        watts = {name: getattr(row, end) for name, row in rows.items()}
        kwh = {
            name: energy.kilowatt_hours(seconds, cores=run.cores, gib=run.memory_gib, **watts)
            for name, seconds in (
                ("training_kwh", run.training_seconds),
                ("kwh_per_million", serving),
            )
        }
        of_carbon = getattr(carbon, end)
        numbers = kwh | {
            "training_co2_g": kwh["training_kwh"] * of_carbon,
            "co2_g_per_million": kwh["kwh_per_million"] * of_carbon,
        }
        for name, number in numbers.items():
            found.setdefault(name, {})[end] = number
    if electricity.currency != "USD":
        raise DataError(
            f"{electricity.place}, column currency: '{electricity.id}' is in"
            f" {electricity.currency}, the report in USD; convert it"
        )
    found["electricity_usd_per_million"] = found["kwh_per_million"]["value"] * electricity.value
    if run.training_usd is None:  # it ran on something else than these cores
        names = [
            f"training_{what}.{end}"
            for what in ("kwh", "co2_g")
            for end in ("value", "low", "high")
        ]
        found |= {
            f"training_{what}": dict.fromkeys(("value", "low", "high")) for what in ("kwh", "co2_g")
        }
        found["reasons"] = [{"key": name, "reason": Reason("unknown_power")} for name in names]
    return found


def _language_models(facts: Market, plan: Report) -> list[dict[str, Any]]:
    """The cost of a million answers of a language model at token prices and assumed lengths of
    question and answer.
    """
    asked, answered = (facts.row(f"tokens.{way}", "tokens") for way in ("in", "out"))
    return [
        one
        | {
            f"usd_per_million{suffix}": cost.language_model(
                getattr(asked, end), getattr(answered, end), one["input"][end], one["output"][end]
            )
            for suffix, end in (("", "value"), ("_low", "low"), ("_high", "high"))
        }
        for one in register.language_models(facts, plan)
    ]


def _quality(facts: Market, plan: Report) -> dict[str, int]:
    """The number of market facts, and of those with each weakness."""
    flagged = [
        flag for row in facts.rows.values() for flag in flags(row, plan.as_of, plan.stale_days)
    ]
    counts = {flag: flagged.count(flag) for flag in ("stale", "undated", "wide")}
    assumed = sum(row.kind == "assumed" for row in facts.rows.values())
    return {
        "rows": len(facts.rows),
        "assumed": assumed,
        "conflicting": len(conflicting(facts.rows.values())),
        **counts,
    }


def _decided(plan: Report) -> dict[str, float]:
    """The decided parts of the plan as numbers that a page can show."""
    return {
        "draws": plan.draws,
        "horizon_months": plan.horizon_months,
        "discount_rate": plan.discount_rate,
        "licence_usd": plan.licence,
        "day_rate_usd": plan.day_rate,
        "volume_per_month": plan.volume_per_month,
        "instances": plan.instances,
        "utilisation": plan.utilisation,
        "mix_subscription": plan.mix.subscription,
        "mix_one_time": plan.mix.one_time,
        "mix_services": plan.mix.services,
    }


def _currency(facts: Market, plan: Report) -> dict[str, float]:
    """The value of a USD in the currency of the pages."""
    if plan.currency == "USD":
        return {"value": 1.0, "low": 1.0, "high": 1.0}
    row = facts.row("fx.cny_per_usd", "CNY per USD")
    return {"value": row.value, "low": row.low, "high": row.high}


def _middle(numbers: Sequence[float]) -> dict[str, float]:
    return {"low": min(numbers), "median": median(numbers), "high": max(numbers)}


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _part(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
