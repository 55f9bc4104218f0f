"""Measures the ONNX variants through the runtime that ships: latency at batch 1, throughput in batches, load time, size."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from duli import files, machine
from duli.benchmark import speed
from duli.benchmark.params import Benchmark
from duli.params import Params
from duli.preparation.parquet import arrays, opened
from duli.progress import progress

MODELS = Path("models")
PREPARED = Path("data/prepared")


def main() -> None:
    settings = Params("params.yaml").section("benchmark", Benchmark)
    quantization = files.read_json("reports/quantization.json")
    models = {name: files.verified(MODELS / facts["file"], facts["sha256"]) for name, facts in quantization["variants"].items()}
    stats = files.read_json(PREPARED / "stats.json")
    with opened(PREPARED / "test.parquet") as file:
        rows = pa.Table.from_batches([next(file.iter_batches(settings.batch, columns=["label", "content"]))])
    images, _ = arrays(rows, (stats["channels"], stats["height"], stats["width"]))

    cores = machine.describe()["cores"]
    # (measure, examples a call, threads)
    plan = (("latency_ms", 1, 1), ("throughput", len(images), 1), ("throughput_all_cores", len(images), cores))
    variants: dict[str, dict[str, Any]] = {
        name: {"bytes": len(content), "load_ms": speed.load_ms(content)} for name, content in models.items()
    }
    for measure, batch, threads in progress(plan, "measuring", unit="measures"):
        sessions = {name: speed.session(content, threads) for name, content in models.items()}
        for name, rounds in speed.calls_ms(sessions, images[:batch], settings.seconds / len(plan)).items():
            result = speed.latency(rounds) if batch == 1 else speed.throughput(rounds, batch)
            variants[name][measure] = {**result, "threads": threads}
    shipped = quantization["choice"]
    files.write_json(
        "reports/benchmark.json",
        {
            "shipped": shipped,
            "variants": variants,
            "speedup_over_fp32": variants[shipped]["throughput"]["value"] / variants["fp32"]["throughput"]["value"],
            "peak_mb": machine.peak_mb(),
            "load_average": os.getloadavg()[0],
            "hardware": machine.describe(),
            "versions": machine.versions("onnxruntime", "numpy"),
        },
    )
    facts = variants[shipped]
    print(
        f"{shipped}: {facts['latency_ms']['value'] * 1000:.0f} us a call (p99 {facts['latency_ms']['p99'] * 1000:.0f}), "
        f"{facts['throughput']['value']:,.0f} examples/s on one thread at batch {len(images)}, spread {facts['throughput']['spread']:.0%}"
    )
