"""The assumption register: every input with its value, range, unit, provenance and source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from duli.base.errors import DataError
from duli.economics import market, sizing
from duli.economics.draws import Uncertain
from duli.economics.market import Market, Row
from duli.economics.params import Report

Entry = dict[str, Any]

COLUMNS = (
    "input",
    "id",
    "value",
    "low",
    "high",
    "unit",
    "kind",
    "dist",
    "source",
    "url",
    "as_of",
    "retrieved",
    "confidence",
    "flags",
    "note",
    "note_zh",
)
# The coverage where every answer is accepted.
EVERYTHING = {"value": 1.0, "low": 1.0, "high": 1.0, "n": 0}
# Inputs of the cash flow that are market facts: name, row, unit; prices are in USD.
FACTS = (
    ("maintenance", "licence.maintenance", "share per year"),
    ("day_cost", "services.day_cost", "per day"),
    ("days_first", "services.days_first", "days"),
    ("days_per_month", "services.days_per_month", "days"),
    ("innovation", "adoption.innovation", "share per year"),
    ("imitation", "adoption.imitation", "share per year"),
    ("churn", "saas.logo_churn", "share per year"),
    ("cac", "customer.cac", "per customer"),
    ("team", "team.per_month", "per month"),
    ("upkeep", "team.upkeep", "share"),
    ("build_months", "team.build_months", "months"),
)


@dataclass(frozen=True)
class Sources:
    """The origin of the numbers that are not market facts, in words for the reader."""

    speed: str
    answers: str
    training: str
    plan: str
    unpriced: str  # the note of a training that has no price
    unpriced_zh: str  # the same for Chinese readers


def unit_cost(
    plan: Report, facts: Market, measured: Mapping[str, Any], sources: Sources
) -> list[Entry]:
    """The inputs of the unit cost in reading order; `measured` holds this run's measurements of
    what ships.
    """
    return [
        entry("price_per_hour", _in_usd(facts, plan.compute, "per hour"), plan),
        _throughput(plan, facts, measured["throughput_per_second"], sources.speed),
        _planned("utilisation", plan.utilisation, "share", sources),
        _planned("instances", plan.instances, "machines", sources),
        _planned("volume", plan.volume_per_month, "per month", sources),
        _own("coverage", measured.get("coverage", EVERYTHING), "share", sources.answers),
        _own("accuracy", measured["accuracy_of_accepted"], "share", sources.answers),
        entry("review", _in_usd(facts, "review.per_item", "per item"), plan),
        entry("error", _in_usd(facts, "error.per_item", "per item"), plan),
        entry("tickets", facts.row("support.tickets_per_million", "tickets per million"), plan),
        entry("ticket", _in_usd(facts, "support.per_ticket", "per ticket"), plan),
    ]


def venture(
    plan: Report, facts: Market, training_usd: float | None, sources: Sources
) -> list[Entry]:
    """The further inputs of the cash flow: decisions, market facts, and the segments' figures."""
    training = _plain("training", training_usd or 0.0, "USD", "measured", sources.training)
    if training_usd is None:
        training |= {
            "kind": "assumed",
            "note": sources.unpriced,
            "note_zh": sources.unpriced_zh,
        }
    return [
        _planned("price", plan.price_per_1000 * 1000, "USD per million", sources),
        _planned("licence", plan.licence, "USD per licence", sources),
        _planned("day_rate", plan.day_rate, "USD per day", sources),
        training,
        *(entry(name, _fact(facts, row, unit), plan) for name, row, unit in FACTS),
        *(
            entry(f"{segment}.{figure}", facts.row(f"{segment}.{figure}", unit), plan)
            for segment in segments(facts)
            for figure, unit in sizing.FIGURES.items()
        ),
    ]


def segments(facts: Market) -> tuple[str, ...]:
    """The names of the segments, `segment.NAME`, in the order of the files."""
    return tuple(dict.fromkeys(".".join(row.id.split(".")[:2]) for row in facts.group("segment")))


def uncertain(entries: Sequence[Entry]) -> dict[str, Uncertain]:
    """The entries as uncertain inputs."""
    return {
        one["input"]: Uncertain(one["value"], one["low"], one["high"], one["dist"], one["n"])
        for one in entries
    }


def entry(name: str, row: Row, plan: Report) -> Entry:
    """A market fact as an entry of the register."""
    return {
        "input": name,
        "id": row.id,
        "value": row.value,
        "low": row.low,
        "high": row.high,
        "unit": f"{row.currency} {row.unit}".strip(),
        "kind": row.kind,
        "dist": row.dist,
        "n": None,
        "source": row.source_title,
        "url": row.source_url,
        "as_of": _day(row.as_of),
        "retrieved": _day(row.retrieved),
        "confidence": row.confidence,
        "note": row.note,
        "note_zh": row.note_zh,
        "flags": market.flags(row, plan.as_of, plan.stale_days),
    }


def services(facts: Market, plan: Report) -> tuple[list[Entry], list[Entry]]:
    """Public services with their list prices in USD per million, and the rows that
    converted them.
    """
    rows = facts.under("service", "per 1000")
    if not rows:
        raise DataError(
            f"{plan.market} has no row 'service.*' (per 1000) to compare the price with; add one"
        )
    fx = (
        None
        if all(row.currency == "USD" for row in rows)
        else facts.row("fx.cny_per_usd", "CNY per USD")
    )
    found = []
    for row in rows:
        usd = (f"usd_per_million{end}" for end in ("", "_low", "_high"))
        found.append(
            entry(row.id, row, plan)
            | dict(zip(usd, (1000 * price for price in market.to_usd(row, fx)), strict=True))
        )
    return found, [entry("fx", fx, plan)] if fx else []


def language_models(facts: Market, plan: Report) -> list[Entry]:
    """Language models that are paid by the token: the two prices of each, USD per million tokens,
    `llm.NAME.input` and `.output`.
    """
    names = dict.fromkeys(
        row.id.rsplit(".", 1)[0]
        for row in facts.under("llm", "per million tokens")
        if row.id.count(".") == 2
    )
    return [
        {
            "id": name,
            "input": entry(name, _in_usd(facts, f"{name}.input", "per million tokens"), plan),
            "output": entry(name, _in_usd(facts, f"{name}.output", "per million tokens"), plan),
        }
        for name in names
    ]


def table(entries: Sequence[Entry]) -> list[list[Any]]:
    """The register as rows under `COLUMNS`, for a CSV file."""
    return [
        [" ".join(one["flags"]) if column == "flags" else one[column] for column in COLUMNS]
        for one in entries
    ]


def _throughput(plan: Report, facts: Market, speed: Mapping[str, float], source: str) -> Entry:
    # The rented machine is not the one that was measured; threads are what both have, so the speed
    # goes by threads.
    scale = facts.row(f"{plan.compute}.vcpu", "vCPU").value / speed["threads"]
    slowest, typical, fastest = (
        speed["value"] * scale * (1 + sign * min(speed["spread"], 0.9)) for sign in (-1, 0, 1)
    )
    dist = "triangular" if slowest < fastest else "point"
    return _plain("throughput", typical, "per second", "measured", source) | {
        "low": slowest,
        "high": fastest,
        "dist": dist,
    }


def _own(name: str, score: Mapping[str, float], unit: str, source: str) -> Entry:
    """A share that this run counted, as an entry of the register."""
    ends = {
        "low": score["low"],
        "high": score["high"],
        "dist": "beta" if score["low"] < score["high"] else "point",
    }
    return _plain(name, score["value"], unit, "measured", source) | ends | {"n": int(score["n"])}


def _planned(name: str, value: float, unit: str, sources: Sources) -> Entry:
    """A number of the plan as an entry of the register: assumed until it has happened."""
    return _plain(name, value, unit, "assumed", sources.plan)


def _plain(name: str, value: float, unit: str, kind: str, source: str) -> Entry:
    return {
        "input": name,
        "id": name,
        "value": value,
        "low": value,
        "high": value,
        "unit": unit,
        "kind": kind,
        "dist": "point",
        "n": None,
        "source": source,
        "url": "",
        "as_of": "",
        "retrieved": "",
        "confidence": "",
        "note": "",
        "note_zh": "",
        "flags": [],
    }


def _in_usd(facts: Market, name: str, unit: str) -> Row:
    row = facts.row(name, unit)
    if row.currency != "USD":
        raise DataError(
            f"{row.place}, column currency: '{row.id}' is in {row.currency}, the unit cost in USD;"
            " convert it"
        )
    return row


def _fact(facts: Market, name: str, unit: str) -> Row:
    if unit in market.PRICES:
        return _in_usd(facts, name, unit)
    row = facts.row(name, unit)
    # Growth of a market may be more than a whole a year; what customers do, or pay of a price, may
    # not.
    if unit == "share per year" and row.high > 1:
        raise DataError(
            f"{row.place}, column high: '{row.id}' is above 1, and nobody can do more than all of"
            " it; give a share from 0 to 1"
        )
    return row


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
