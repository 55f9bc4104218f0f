"""Prices the release from its own measurements and dated market facts, judges the gates, and writes one page."""

import math
from datetime import date
from pathlib import Path
from typing import Any

from duli import files, gates
from duli.economics import cost, market, summary
from duli.economics.params import Report
from duli.errors import DataError
from duli.params import Params
from duli.reporting import charts, wording
from duli.reporting.pages import render
from duli.tracking.champion import FIGURES, Record, load
from duli.tracking.headline import headline

REPORTS = ("train", "evaluation", "quantization", "benchmark", "validation")
COUNTS = ("n", "batch", "threads", "bytes")
SCORES = ("value", "low", "high", "n")


def main() -> None:
    params = Params("params.yaml")
    plan = params.section("report", Report)
    required = params.section("gates", gates.Gates).require
    facts = market.read({str(path): path.read_bytes() for path in sorted(Path(plan.market).glob("*.csv"))})
    reports = {name: files.read_json(f"reports/{name}.json") for name in REPORTS}
    manifest = files.read_json("dist/manifest.json")
    champion = load(Path("champion.json")).champion
    training = files.read_json("reports/resources/train.json")

    measured = _measured(reports, manifest)
    register = _register(plan, facts, measured)
    inputs = cost.Inputs(**{entry["input"]: entry["value"] for entry in register})
    ranges = {entry["input"]: (entry["low"], entry["high"]) for entry in register if entry["low"] < entry["high"]}
    price = plan.price_per_1000 * 1000
    services, fx = _services(facts, plan)
    team = _in_usd(facts, "team.per_month", "per month")
    kinds = summary.kinds({entry["input"]: entry["kind"] for entry in register})
    business = summary.economics(inputs, ranges, plan.below_threshold, price, (team.value, team.low, team.high))
    business |= {
        "assumed_share_of_cost": summary.assumed_share(business["cost_usd_per_million"], kinds),
        "price_usd_per_million": price,
        "price_usd_per_thousand": plan.price_per_1000,
        "stale_days": plan.stale_days,
        **measured,
        "training_seconds": training["seconds"],
        "training_usd": _training_usd(training, inputs.price_per_hour),
        # Lists hold what the page shows and what is no metric: `dvc metrics` leaves lists out.
        "movers": summary.movers(inputs, ranges, plan.below_threshold),
        "services": services,
        "register": [*register, _entry("team", team, plan), *fx],
    }
    business["beside_champion"] = _beside(champion, gates.measures({"business": business}))
    judged = gates.summary(gates.judge(required, gates.measures({**reports, "manifest": manifest, "business": business})))
    business |= {
        "verdict": judged["verdict"],
        "gates": judged["gates"],
        "gates_refused": judged["refused"],
        "gate_results": judged["results"],
    }

    page = {
        "facts": business,
        "kinds": kinds,
        "plan": plan,
        "manifest": manifest,
        "dataset": reports["evaluation"].get("dataset", manifest["name"]),
        "shipped": reports["benchmark"]["shipped"],
        "champion": champion,
        "machine": _one_line(reports["benchmark"]["hardware"]),
        "versions": _one_line(reports["benchmark"]["versions"]),
        "test_digest": reports["evaluation"]["test_digest"],
        "training": training,
        "waterfall": charts.waterfall(_parts(business, plan), "Unit cost", price, "USD per million answers"),
        "positions": charts.positions(*_dots(business), "USD per million predictions, logarithmic"),
    }
    files.write_json("reports/business.json", business)
    files.write_json("reports/gates.json", judged)
    # The dozen numbers that `dvc metrics diff` and `dvc exp show` have room for.
    files.write_json("reports/headline.json", headline({**reports, "business": business, "resources": {"train": training}}))
    files.write_text("reports/report.html", render("report.html.j2", **page))
    files.write_text("reports/report.md", render("report.md.j2", **page))

    for reason in judged["reasons"]:
        print(f"gate refused: {reason}")
    unit_cost, margin = business["unit_cost_usd_per_million"]["value"], business["gross_margin"]["value"]
    print(f"{judged['verdict']}: a million answers cost {wording.money(unit_cost)} USD to serve, gross margin {wording.percent(margin)}")
    print("the page is reports/report.html")


def _measured(reports: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """What this run measured of the file it ships, in the words of the business report."""
    numbers = gates.measures({**reports, "manifest": manifest})
    shipped = str(reports["benchmark"].get("shipped"))
    speed = f"benchmark.variants.{shipped}"
    measured: dict[str, Any] = {
        "accuracy": _pick(numbers, "evaluation.accuracy", SCORES),
        "coverage": _pick(numbers, "evaluation.coverage", SCORES),
        "accuracy_of_accepted": _pick(numbers, "evaluation.accuracy_of_accepted", SCORES),
        "confidence_threshold": _pick(numbers, "evaluation", ("confidence_threshold",))["confidence_threshold"],
        "latency_ms": _pick(numbers, f"{speed}.latency_ms", ("value", "p95", "p99", "n")),
        "throughput_per_second": _pick(numbers, f"{speed}.machine_throughput", ("value", "spread", "n", "batch", "threads")),
        "model_bytes": _pick(numbers, speed, ("bytes",))["bytes"],
        "wheel_bytes": _pick(numbers, "manifest.wheel", ("bytes",))["bytes"],
    }
    for name in ("throughput_per_second", "latency_ms"):
        if measured[name]["value"] <= 0:
            raise DataError(f"reports/benchmark.json: {name} is {measured[name]['value']}; repeat `dvc repro --force benchmark`")
    return measured


def _register(plan: Report, facts: market.Market, measured: dict[str, Any]) -> list[dict[str, Any]]:
    """Every input of the unit cost with its range and its source, in the order a reader asks for them."""
    speed = measured["throughput_per_second"]
    # The rented machine is not the one that was measured; threads are what both have, so the speed goes by threads.
    scale = facts.row(f"{plan.compute}.vcpu", "vCPU").value / speed["threads"]
    slowest, typical, fastest = (speed["value"] * scale * (1 + sign * min(speed["spread"], 0.9)) for sign in (-1, 0, 1))
    return [
        _entry("price_per_hour", _in_usd(facts, plan.compute, "per hour"), plan),
        _own("throughput", typical, slowest, fastest, "per second", "benchmark"),
        _planned("utilisation", plan.utilisation, "share"),
        _planned("instances", plan.instances, "machines"),
        _planned("volume", plan.volume_per_month, "per month"),
        _own("coverage", *_interval(measured["coverage"]), "share", "evaluation"),
        _own("accuracy", *_interval(measured["accuracy_of_accepted"]), "share", "evaluation"),
        _entry("review", _in_usd(facts, "review.per_item", "per item"), plan),
        _entry("error", _in_usd(facts, "error.per_item", "per item"), plan),
        _entry("tickets", facts.row("support.tickets_per_million", "tickets per million"), plan),
        _entry("ticket", _in_usd(facts, "support.per_ticket", "per ticket"), plan),
    ]


def _entry(name: str, row: market.Row, plan: Report) -> dict[str, Any]:
    """A market fact as an entry of the register."""
    return {
        "input": name, "id": row.id, "value": row.value, "low": row.low, "high": row.high, "unit": f"{row.currency} {row.unit}".strip(),
        "kind": row.kind, "source": row.source_title, "url": row.source_url, "as_of": _day(row.as_of), "retrieved": _day(row.retrieved),
        "confidence": row.confidence, "note": row.note, "flags": market.flags(row, plan.as_of, plan.stale_days),
    }  # fmt: skip


def _own(name: str, value: float, low: float, high: float, unit: str, report: str) -> dict[str, Any]:
    """A measurement of this run as an entry of the register."""
    return _plain(name, value, low, high, unit, "measured", f"reports/{report}.json")


def _planned(name: str, value: float, unit: str) -> dict[str, Any]:
    """A number of the plan as an entry of the register: assumed until it has happened."""
    return _plain(name, value, value, value, unit, "assumed", "params.yaml, report")


def _plain(name: str, value: float, low: float, high: float, unit: str, kind: str, source: str) -> dict[str, Any]:
    return {
        "input": name, "id": name, "value": value, "low": low, "high": high, "unit": unit, "kind": kind, "source": source, "url": "",
        "as_of": "", "retrieved": "", "confidence": "", "note": "", "flags": [],
    }  # fmt: skip


def _in_usd(facts: market.Market, name: str, unit: str) -> market.Row:
    row = facts.row(name, unit)
    if row.currency != "USD":
        raise DataError(f"{row.place}, column currency: '{row.id}' is in {row.currency}, the unit cost in USD; convert it")
    return row


def _services(facts: market.Market, plan: Report) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Public services with their list prices in USD per million, and what converted them."""
    rows = facts.under("service", "per 1000")
    if not rows:
        raise DataError(f"{plan.market} has no row 'service.*' (per 1000) to compare the price with; add one")
    fx = None if all(row.currency == "USD" for row in rows) else facts.row("fx.cny_per_usd", "CNY per USD")
    services = []
    for row in rows:
        usd = (f"usd_per_million{end}" for end in ("", "_low", "_high"))
        services.append(_entry(row.id, row, plan) | dict(zip(usd, (1000 * price for price in market.to_usd(row, fx)), strict=True)))
    return services, [_entry("fx", fx, plan)] if fx else []


def _dots(business: dict[str, Any]) -> tuple[list[charts.Dot], charts.Dot]:
    price = business["price_usd_per_million"]
    dots = [
        charts.Dot(
            wording.title(service["id"]), service["usd_per_million"], service["usd_per_million_low"], service["usd_per_million_high"]
        )
        for service in business["services"]
    ]
    return dots, charts.Dot("This release", price, price, price)


def _parts(business: dict[str, Any], plan: Report) -> dict[str, float]:
    """The parts of the unit cost as the chart calls them; nobody reviews where the model abstains."""
    names = {"compute": "Compute", "idle": "Idle capacity", "review": "Human review", "errors": "Errors", "support": "Support"}
    parts = business["cost_usd_per_million"]
    return {label: parts[name] for name, label in names.items() if name != "review" or plan.below_threshold == "review"}


def _beside(champion: Record | None, numbers: dict[str, float]) -> list[dict[str, Any]]:
    """The figures that the champion was promoted with as well, side by side."""
    past = champion.measures if champion else {}
    return [{"measure": name, "this": numbers[name], "champion": past[name]} for name in FIGURES if name in past and name in numbers]


def _training_usd(training: dict[str, Any], price_per_hour: float) -> float | None:
    """What this training would cost on the rented machine; None where it ran on something else."""
    return training["seconds"] / 3600 * price_per_hour if training["device"] == "cpu" else None


def _pick(numbers: dict[str, float], name: str, keys: tuple[str, ...]) -> dict[str, float]:
    """The numbers `name.key`; raises `DataError` where one is missing or not finite."""
    for key in keys:
        if not math.isfinite(numbers.get(f"{name}.{key}", math.nan)):
            report, _, rest = f"{name}.{key}".partition(".")
            stage = {"evaluation": "evaluate", "quantization": "quantize", "manifest": "package"}.get(report, report)
            raise DataError(f"the report '{report}' has no finite number at {rest}; repeat `dvc repro --force {stage}`")
    return {key: int(numbers[f"{name}.{key}"]) if key in COUNTS else numbers[f"{name}.{key}"] for key in keys}


def _interval(score: dict[str, float]) -> tuple[float, float, float]:
    return score["value"], score["low"], score["high"]


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _one_line(facts: dict[str, Any]) -> str:
    """Hardware or versions as one line: cpu X, cores 2, flags avx2 vnni."""
    return ", ".join(f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in facts.items())
