"""Measures every variant in the runtime that ships, chooses the cheapest within bounds, and reports
the speed-up over torch.
"""

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa

from duli.base import files, kinds, machine, padding, rooms
from duli.base.errors import DataError
from duli.base.params import Params
from duli.base.progress import progress
from duli.benchmark import choice, cores, eager, noise, probe, speed
from duli.benchmark.params import Benchmark
from duli.models.shared.restore import restore
from duli.preparation.prepared.parquet import opened
from duli.reporting.benchmark import charts
from duli.reporting.shared.pages import render

# Shares of the time budget: the costs that decide come from the third, the ratios to torch from the
# first.
ONE_THREAD, ALL_CORES, WHOLE_MACHINE = 0.45, 0.2, 0.35
PROBES = 3  # fresh processes per variant, fewer if the budget is short
SECONDS_A_PROBE = 3

MODELS = Path("models")
PREPARED = Path("data/prepared")

Facts = dict[str, Any]
Models = dict[str, bytes]
ByMeasure = dict[str, dict[str, float]]  # per contestant


def main() -> None:
    load = os.getloadavg()[0]  # load average before this run
    params = Params("params.yaml")
    settings = params.section("benchmark", Benchmark)
    quantization = files.read_json("reports/quantization.json")
    variants = quantization["variants"]
    models = {
        name: files.verified(MODELS / facts["file"], facts["sha256"])
        for name, facts in variants.items()
    }
    inputs = _inputs(settings.batches[-1])
    batches = [padding.cut(inputs[:batch]) for batch in settings.batches]
    hardware = machine.describe()

    probed = _probed(variants, batches[-1], settings)
    runs = _one_thread(models, batches, settings)
    if hardware["cores"] > 1:
        for name, rows in _all_cores(models, batches, settings, hardware["cores"]).items():
            runs[name] += rows
    measured = {
        name: {
            "bytes": len(models[name]),
            **probed[name],
            **_headlines(runs[name], settings.slo_ms),
        }
        for name in models
    }
    # All at the same batch size, the largest at which fp32 meets the objective: with different
    # sizes, a busy moment that hits one of them would shift the costs.
    batch = measured["fp32"]["throughput"]["batch"]
    processes = cores.affordable(
        hardware["cores"], 1e6 * _resident_mb(measured), machine.available_bytes()
    )
    whole = cores.measured(
        models, padding.cut(inputs[:batch]), settings.seconds * WHOLE_MACHINE, processes
    )
    for name, of_machine in whole.items():
        cost_ratio = of_machine["cpu_us"]["value"] / whole["fp32"]["cpu_us"]["value"]
        measured[name] |= {**of_machine, "cost_ratio": cost_ratio, "runs": runs[name]}

    candidates = {
        name: choice.Candidate(
            facts["cost_ratio"],
            facts["cpu_us"]["spread"],
            facts["bytes"],
            None if variants[name]["within_bounds"] else variants[name]["reason"],
        )
        for name, facts in measured.items()
    }
    shipped, reason = choice.choose(candidates, settings.tie)
    warnings = noise.sentences(
        *_restless(runs, whole), settings.max_spread, load=load, cores=hardware["cores"]
    )
    if processes < hardware["cores"]:
        warnings.append(
            f"memory was short: the whole machine was measured with {processes} processes on"
            f" {hardware['cores']} cores"
        )
    report = {
        "shipped": shipped,
        "reason": reason,
        "noisy": bool(warnings),
        "noise": warnings,
        "speedup": _over(measured[shipped]["throughput"], runs["torch"]),
        "speedup_over_fp32": _over(measured[shipped]["throughput"], runs["fp32"]),
        "size_ratio": measured["fp32"]["bytes"] / measured[shipped]["bytes"],
        "slo_ms": settings.slo_ms,
        "variants": measured,
        "torch_eager": {
            "runs": runs["torch"],
            "channels_last_runs": runs.get("torch_channels_last", []),
        },
        "load_average": load,
        "hardware": hardware,
        "versions": machine.versions("onnxruntime", "numpy", "torch"),
    }
    rows = choice.pareto(
        candidates,
        {name: {**variants[name], **measured[name]} for name in measured},
        shipped,
        rooms.task(params.values["task"], "task").SCORE,
    )
    page = _page(report, quantization, rows)
    files.write_text("reports/pareto.csv", _csv(rows))
    files.write_json("reports/benchmark.json", report)
    files.write_text("reports/benchmark.html", page)
    files.write_json(
        "reports/choice.json",
        {
            "variant": shipped,
            **{key: variants[shipped][key] for key in ("file", "bytes", "sha256")},
        },
    )
    _tell(report)


def _inputs(count: int) -> speed.Inputs:
    """`count` examples of the validation split, repeated if it has fewer; of texts, one of median
    length first.
    """
    kind = kinds.prepared(files.read_json(PREPARED / "preprocessing.json"))
    with opened(PREPARED / "validation.parquet") as file:
        rows = next(file.iter_batches(count, columns=["content"]), None)
    if rows is None:
        raise DataError(
            "data/prepared/validation.parquet holds no example to measure with; raise"
            " prepare.validation_share"
        )
    inputs = kind.arrays(pa.chunked_array([rows["content"]]))
    return np.resize(padding.typical_first(inputs), (count, *inputs.shape[1:]))


def _probed(
    variants: Mapping[str, Facts], largest: speed.Inputs, settings: Benchmark
) -> dict[str, Facts]:
    """Load time and peak memory of each variant, in turns; the first loads also fill the file
    cache.
    """
    times = min(PROBES, max(1, round(settings.seconds / SECONDS_A_PROBE)))
    plan = [(name, facts) for _ in range(times) for name, facts in variants.items()]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for name, facts in progress(plan, "loading", unit="processes"):
        found[name].append(
            probe.once(MODELS / facts["file"], facts["sha256"], largest.shape, largest.dtype.str)
        )
    return {name: probe.summary(of_one, settings.batches[-1]) for name, of_one in found.items()}


def _one_thread(
    models: Models, batches: list[speed.Inputs], settings: Benchmark
) -> dict[str, list[Facts]]:
    """Runs of every variant on every available device, and of torch: one thread each, in turns."""
    description = files.read_json(MODELS / "model.json")
    weights = files.verified(
        MODELS / description["weights"]["file"], description["weights"]["sha256"]
    )
    inputs = rooms.kind(description["kind"], "learning.inputs")
    before = inputs.Preprocessing(**description["normalisation"])
    networks = inputs.layouts(before, restore(description, weights))
    contestants: dict[tuple[str, str], speed.Call] = {
        (name, "cpu"): one for name, one in eager.calls(networks).items()
    }
    for device, providers in speed.devices(onnxruntime.get_available_providers()).items():
        sessions = {name: speed.session(content, 1, providers) for name, content in models.items()}
        # Without such a device, onnxruntime falls back to the CPU.
        contestants |= {
            (name, device): speed.call(one)
            for name, one in sessions.items()
            if one.get_providers()[0] == providers[0]
        }
    with eager.one_thread():
        turns = speed.turns(contestants, batches, settings.seconds * ONE_THREAD)
    runs: dict[str, list[Facts]] = {name: [] for name, _ in contestants}
    for (name, device), of_one in turns.items():
        runs[name] += [speed.run(of_batch, batch, 1, device) for batch, of_batch in of_one.items()]
    return runs


def _all_cores(
    models: Models, batches: list[speed.Inputs], settings: Benchmark, threads: int
) -> dict[str, list[Facts]]:
    """Runs of every variant in one session with one thread per core."""
    contestants = {
        name: speed.call(speed.session(content, threads)) for name, content in models.items()
    }
    turns = speed.turns(contestants, batches, settings.seconds * ALL_CORES, speed.until_asleep)
    return {
        name: [speed.run(of_batch, batch, threads) for batch, of_batch in of_one.items()]
        for name, of_one in turns.items()
    }


def _headlines(runs: list[Facts], slo_ms: float) -> Facts:
    own = [one for one in runs if one["threads"] == 1 and one["device"] == "cpu"]
    return {"latency_ms": speed.latency(own), "throughput": speed.at_objective(own, slo_ms)}


def _resident_mb(measured: Mapping[str, Facts]) -> float:
    """Resident memory (MB) of one process that holds a session per variant."""
    runtime = min(
        facts["peak_mb"]["value"] - facts["peak_mb"]["model_mb"] for facts in measured.values()
    )
    return float(runtime + sum(facts["peak_mb"]["model_mb"] for facts in measured.values()))


def _over(throughput: Facts, others: list[Facts]) -> float:
    """Speed-up over another contestant's throughput at the same batch size on one CPU thread."""
    same = (
        row
        for row in others
        if (row["batch"], row["threads"], row["device"]) == (throughput["batch"], 1, "cpu")
    )
    return float(throughput["value"] / next(same)["per_second"])


def _restless(
    runs: Mapping[str, list[Facts]], whole: Mapping[str, Facts]
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """The largest spread and the smallest CPU share of the runs, by measure and contestant."""
    measures = {
        "one thread": {
            name: [row for row in rows if row["threads"] == 1] for name, rows in runs.items()
        },
        "one session on all cores": {
            name: [row for row in rows if row["threads"] > 1] for name, rows in runs.items()
        },
        "the whole machine": {name: [facts["machine_throughput"]] for name, facts in whole.items()},
    }
    rows = [
        (measure, name, row)
        for measure, of_each in measures.items()
        for name, rows in of_each.items()
        for row in rows
    ]
    spreads: ByMeasure = {measure: {} for measure in measures}
    shares: ByMeasure = {measure: {} for measure in measures}
    for measure, name, row in rows:
        spreads[measure][name] = max(row["spread"], spreads[measure].get(name, 0))
        if row.get("device", "cpu") == "cpu":  # a thread that waits for another device uses no CPU
            shares[measure][name] = min(row["cpu_share"], shares[measure].get(name, 1))
    return spreads, shares


def _page(report: Facts, quantization: Facts, rows: list[Facts]) -> str:
    """Renders reports/benchmark.html: the choice, and every measurement behind it."""
    variants = [_variant(row, quantization["variants"][row["variant"]]) for row in rows]
    contestants = {
        name: report["variants"][name]["runs"]
        for name in dict.fromkeys((report["shipped"], "fp32"))
    }
    curves = {
        name: [run for run in runs if run["threads"] == 1 and run["device"] == "cpu"]
        for name, runs in (*contestants.items(), ("PyTorch", report["torch_eager"]["runs"]))
    }
    drawn = {
        "pareto": charts.pareto(variants, quantization["max_drop_points"]),
        "throughput": charts.throughput(curves, report["shipped"]),
    }
    return render(
        "reporting/benchmark/benchmark.html.j2",
        facts={"benchmark": report, "quantization": quantization},
        charts=drawn,
    )


def _variant(row: Facts, facts: Facts) -> charts.Variant:
    """A row of reports/pareto.csv for the chart; fp32's baseline is fp32 itself."""
    drop = (
        facts["paired"]["drop_points"]
        if "paired" in facts
        else dict.fromkeys(("value", "low", "high"), 0.0)
    )
    state: charts.State = (
        "shipped" if row["shipped"] else "allowed" if row["within_bounds"] else "refused"
    )
    return charts.Variant(
        row["variant"],
        row["cost_ratio"],
        -drop["value"],
        -drop["high"],
        -drop["low"],
        state,
        front=row["front"],
    )


def _csv(rows: list[Facts]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=tuple(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _tell(report: Facts) -> None:
    for name, facts in report["variants"].items():
        latency, one, whole = facts["latency_ms"], facts["throughput"], facts["machine_throughput"]
        print(
            f"{name}: {latency['value'] * 1000:.0f} us a call (p99 {latency['p99'] * 1000:.0f}),"
            f" {one['value']:,.0f} examples/s on one thread at batch {one['batch']},"
            f" {whole['value']:,.0f} on the machine at {whole['batch']},"
            f" {facts['peak_mb']['value']:.0f} MB, {facts['bytes'] / 1000:.1f} kB,"
            f" {facts['cost_ratio']:.2f} of the cost of fp32"
        )
        if not one["within_slo"]:
            print(
                f"  no batch of {name} stays within {report['slo_ms']:g} ms: p99 is"
                f" {one['p99_ms']:.1f} ms at batch {one['batch']}"
            )
    for sentence in report["noise"]:
        print(f"noisy: {sentence}")
    print(report["reason"])
    shipped = report["variants"][report["shipped"]]
    line = {
        "shipped": report["shipped"],
        "speedup": round(report["speedup"], 3),
        "speedup_over_fp32": round(report["speedup_over_fp32"], 3),
        "latency_us": round(shipped["latency_ms"]["value"] * 1000, 1),
        "p99_us": round(shipped["latency_ms"]["p99"] * 1000, 1),
        "batch": shipped["throughput"]["batch"],
        "throughput": round(shipped["throughput"]["value"]),
        "machine_throughput": round(shipped["machine_throughput"]["value"]),
        "noisy": report["noisy"],
    }
    print(json.dumps(line))
