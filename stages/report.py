"""Prices the release from its own measurements and dated market facts, judges the gates, and writes
its pages.
"""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from duli.base import files, rooms
from duli.base.errors import DataError
from duli.base.params import Params
from duli.base.tasks import Score
from duli.economics import market, register, risks, strategy
from duli.economics.business import FULL, SHIPPED, Business, Run, Variant, business
from duli.economics.params import Report
from duli.economics.reasons import Reason
from duli.gates import gates
from duli.reporting.business import charts_report, sentences
from duli.reporting.business.speech import Language, Speech
from duli.reporting.shared import wording
from duli.reporting.shared.pages import render
from duli.tracking import headline
from duli.tracking.champion import Record, figures, load

REPORTS = ("train", "evaluation", "quantization", "benchmark", "validation")
COUNTS = ("n", "batch", "threads", "bytes")
SPEED = "machine_throughput"  # of a variant in benchmark.json: what one machine gives
SOURCES = register.Sources(
    "reports/benchmark.json",
    "reports/evaluation.json",
    "reports/resources/train.json",
    "params.yaml, report",
    unpriced=sentences.ENGLISH.text("unpriced"),
    unpriced_zh=sentences.CHINESE.text("unpriced"),
)
PAGES: dict[Language, str] = {"en": "reports/report.html", "zh": "reports/report.zh.html"}
SCORES = ("value", "low", "high", "n")


def main() -> None:
    params = Params("params.yaml")
    plan = params.section("report", Report)
    task = rooms.task(params.values["task"], "task")
    quality = rooms.task(params.values["task"], "pricing.quality")
    words = Path(str(quality.__file__)).parent
    required = params.section("gates", gates.Gates).require
    facts = market.read(
        {str(path): path.read_bytes() for path in sorted(Path(plan.market).glob("*.csv"))}
    )
    reports = {name: files.read_json(f"reports/{name}.json") for name in REPORTS}
    manifest = files.read_json("dist/manifest.json")
    champion = load(Path("champion.json")).champion
    training = files.read_json("reports/resources/train.json")

    numbers = gates.measures(reports)
    hardware = _pick(numbers, "benchmark.hardware", ("cores", "memory_gib"))
    run = Run(
        measured=_measured(reports, manifest, quality),
        variants=_variants(reports, "reports/predictions.parquet", quality),
        slo_ms=_pick(numbers, "benchmark", ("slo_ms",))["slo_ms"],
        training_seconds=training["seconds"],
        training_usd=_training_usd(training, facts.row(plan.compute, "per hour").value),
        cores=hardware["cores"],
        memory_gib=hardware["memory_gib"],
        sources=SOURCES,
        champion=champion.measures if champion else {},
    )
    made = business(plan, facts, run)
    found = made.figures
    _apply_rules(found, facts, plan, {**reports, "manifest": manifest}, task.SCORE, quality.RISKS)
    found["beside_champion"] = _beside(
        champion, gates.measures({"business": found}), task.SCORE.key
    )
    judged = gates.summary(
        gates.judge(required, gates.measures({**reports, "manifest": manifest, "business": found}))
    )
    found |= {
        "verdict": judged["verdict"],
        "gates": judged["gates"],
        "gates_refused": judged["refused"],
        "gate_results": judged["results"],
    }

    assumed = {entry["input"] for entry in made.register if entry["kind"] == "assumed"}
    page = {
        "facts": found,
        "kinds": made.kinds,
        "judged_by": task.SCORE,
        "shares": [name for name in quality.MEASURES if name != task.SCORE.key],
        "plan": plan,
        "manifest": manifest,
        "dataset": reports["evaluation"].get("dataset", manifest["name"]),
        "shipped": reports["benchmark"]["shipped"],
        "champion": champion,
        "machine": _one_line(reports["benchmark"]["hardware"]),
        "versions": _one_line(reports["benchmark"]["versions"]),
        "test_digest": reports["evaluation"]["test_digest"],
        "training": training,
        "movers": [place for place, row in enumerate(found["sobol"]) if row["input"] in assumed][
            :3
        ],
        "units": {entry["input"]: entry["unit"] for entry in made.register},
    }
    files.write_json("reports/business.json", sentences.worded(found, words))
    files.write_text("reports/assumptions.csv", _assumptions(made, facts, plan))
    files.write_json("reports/gates.json", judged)
    # The dozen numbers that `dvc metrics diff` and `dvc exp show` have room for.
    files.write_json(
        "reports/headline.json",
        headline.headline(
            {**reports, "business": found, "resources": {"train": training}},
            headline.measures(task),
        ),
    )
    for language, path in PAGES.items():
        speech = Speech(language, plan.currency, found["currency_per_usd"]["value"], words)
        charts = charts_report.draw(found, speech, review=plan.below_threshold == "review")
        files.write_text(
            path, render("reporting/business/report.html.j2", **page, speech=speech, charts=charts)
        )
    files.write_text(
        "reports/report.md",
        render("reporting/business/report.md.j2", **page, speech=Speech(own=words)),
    )

    for reason in judged["reasons"]:
        print(f"gate refused: {reason}")
    unit_cost, margin = found["unit_cost_usd_per_million"]["value"], found["gross_margin"]["value"]
    print(
        f"{judged['verdict']}: a million {task.UNIT.many} cost {wording.money(unit_cost)} USD to"
        f" serve, gross margin {wording.percent(margin)}"
    )
    print(f"the page is {' or '.join(PAGES.values())}")


def _measured(
    reports: dict[str, Any], manifest: dict[str, Any], quality: ModuleType
) -> dict[str, Any]:
    """The measurements of the file that ships, in the terms of the business report."""
    numbers = gates.measures({**reports, "manifest": manifest})
    shipped = str(reports["benchmark"].get("shipped"))
    speed = f"benchmark.variants.{shipped}"
    measured: dict[str, Any] = {
        **{name: _pick(numbers, f"evaluation.{name}", SCORES) for name in quality.MEASURES},
        **_pick(numbers, "evaluation", quality.NUMBERS),
        "latency_ms": _pick(numbers, f"{speed}.latency_ms", ("value", "p95", "p99", "n")),
        "throughput_per_second": _pick(
            numbers, f"{speed}.{SPEED}", ("value", "spread", "n", "batch", "threads")
        ),
        "model_bytes": _pick(numbers, speed, ("bytes",))["bytes"],
        "wheel_bytes": _pick(numbers, "manifest.wheel", ("bytes",))["bytes"],
    }
    for name in ("throughput_per_second", "latency_ms"):
        _positive(name, measured[name]["value"])
    return measured


def _positive(name: str, value: float) -> float:
    if value <= 0:
        raise DataError(
            f"reports/benchmark.json: {name} is {value}; repeat `dvc repro --force benchmark`"
        )
    return value


def _variants(reports: dict[str, Any], path: str, quality: ModuleType) -> dict[str, Variant]:
    """Speed, sureness and right answers of the float export and of the file that ships; raises
    `DataError` where those are missing.
    """
    import pyarrow.parquet as pq

    predictions = pq.read_table(path)
    label = predictions["label"].to_numpy()
    numbers = gates.measures(reports)
    shipped = reports["benchmark"]["shipped"]
    if shipped not in predictions.column_names or shipped not in reports["benchmark"]["variants"]:
        raise DataError(
            f"{path} holds no answers of '{shipped}', the file that ships; repeat `dvc repro"
            " --force evaluate`"
        )
    found = {}
    for key, name in {FULL: FULL, SHIPPED: shipped}.items():
        if name in predictions.column_names:
            speed = _positive(
                f"variants.{name}.{SPEED}",
                _pick(numbers, f"benchmark.variants.{name}.{SPEED}", ("value",))["value"],
            )
            column = predictions[name].combine_chunks()
            outputs = column.values.to_numpy(zero_copy_only=False).reshape(len(column), -1)
            found[key] = Variant(speed, *quality.outcomes(outputs, label))
    return found


def _apply_rules(
    found: dict[str, Any],
    facts: market.Market,
    plan: Report,
    reports: dict[str, Any],
    score: Score,
    of_task: Sequence[risks.Risk],
) -> None:
    """Adds what follows from the numbers by stated rules: strategy, how well each segment is
    served, and the risks.
    """
    ratios = [
        one["ratio"] for one in reports["evaluation"].get("slices", {}).values() if "ratio" in one
    ]
    if ratios:
        # weakest group over strongest, of the property where they differ most
        found["worst_slice_ratio"] = min(ratios)
    else:
        found["reasons"].append({"key": "worst_slice_ratio", "reason": Reason("no_slices")})
    numbers = gates.measures({**reports, "business": found}) | strategy.thresholds(facts)
    found["strategy"] = strategy.judge(strategy.rules(score), numbers)
    fit = strategy.fit(found["strategy"], facts.under("need", "share"))
    segments = found["market"]["segments"]
    for row in segments:
        row["needs_met"] = fit.get(row["segment"])
    best = max(segments, key=lambda row: (row["needs_met"] or 0) * row["som_usd_per_year"])
    for row in segments:
        row["enter_first"] = (
            row is best and row["som_accounts"] > 0
        )  # the most that can be won, weighed by the share of its needs that is met
    asked = risks.all_risks(of_task)
    limits = {
        risk.name: facts.row(f"risk.{risk.name}", risk.unit) for risk in asked if risk.measure
    }
    found["risks"] = risks.judge(asked, numbers, limits)
    found["legal_dates"] = risks.dates(facts.under("legal", "yyyymmdd"), plan.as_of)


def _assumptions(made: Business, facts: market.Market, plan: Report) -> str:
    """The register as resolved, and after it every other market fact, as CSV."""
    used = {entry["id"] for entry in made.register}
    apart = set(market.conflicting(facts.rows.values()))
    rest = [register.entry(row.id, row, plan) for row in facts.rows.values() if row.id not in used]
    for entry in rest:
        entry["flags"] += ["conflicting"] * (entry["id"] in apart)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [register.COLUMNS, *register.table([*made.register, *rest])]
    )
    return text.getvalue()


def _beside(champion: Record | None, numbers: dict[str, float], score: str) -> list[dict[str, Any]]:
    """The figures that the champion was promoted with as well, side by side."""
    past = champion.measures if champion else {}
    return [
        {"measure": name, "this": number, "champion": past[name]}
        for name, number in figures(numbers, score).items()
        if name in past
    ]


def _training_usd(training: dict[str, Any], price_per_hour: float) -> float | None:
    """The cost of this training on the rented machine; None if it ran on other hardware."""
    return training["seconds"] / 3600 * price_per_hour if training["device"] == "cpu" else None


def _pick(numbers: dict[str, float], name: str, keys: tuple[str, ...]) -> dict[str, float]:
    """The numbers `name.key`; raises `DataError` if one is missing or not finite."""
    for key in keys:
        if not math.isfinite(numbers.get(f"{name}.{key}", math.nan)):
            report, _, rest = f"{name}.{key}".partition(".")
            stage = {
                "evaluation": "evaluate",
                "quantization": "quantize",
                "manifest": "package",
            }.get(report, report)
            raise DataError(
                f"the report '{report}' has no finite number at {rest}; repeat `dvc repro --force"
                f" {stage}`"
            )
    return {
        key: int(numbers[f"{name}.{key}"]) if key in COUNTS else numbers[f"{name}.{key}"]
        for key in keys
    }


def _interval(score: dict[str, float]) -> tuple[float, float, float]:
    return score["value"], score["low"], score["high"]


def _one_line(facts: dict[str, Any]) -> str:
    """Hardware or versions as one line: cpu X, cores 2, flags avx2 vnni."""
    return ", ".join(
        f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in facts.items()
    )
