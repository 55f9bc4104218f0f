"""benchmark on small graphs whose costs are known: what is measured, what ships, what is
written.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save

from duli.base import files
from duli.base.errors import DataError
from duli.models import mlp
from duli.reporting.shared.pages import lookup
from stages import benchmark
from tests.benchmark.graphs import multiplying
from tests.stages.test_report import Page, as_number

SHAPE = (1, 8, 8)
GRAPHS = {
    "fp32": multiplying(600, 600, 10, shape=SHAPE),
    "int8": multiplying(20, 10, shape=SHAPE),  # cheap and allowed
    "int8_dynamic": multiplying(900, 900, 900, 10, shape=SHAPE),  # dear, and larger than fp32
    "narrow_int8": multiplying(10, shape=SHAPE),  # the cheapest, and refused
}
REFUSED = {
    "narrow_int8": (
        "narrow_int8 lost 40 and won 2 of 100 validation examples: more than the allowed 0.20"
        " points"
    )
}


def variant(name: str) -> dict[str, Any]:
    drop = (
        {"value": 0.01, "low": -0.02, "high": 0.04}
        if name not in REFUSED
        else {"value": 38.0, "low": 25.1, "high": 47.2}
    )
    compared = (
        {
            "paired": {"n": 100, "drop_points": drop},
            "worst_class": {"class": "8", "drop_points": drop},
        }
        if name != "fp32"
        else {}
    )
    return {
        **compared,
        "file": f"variants/{name}.onnx",
        "bytes": len(GRAPHS[name]),
        "sha256": files.sha256(GRAPHS[name]),
        "validation_accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "n": 100},
        "within_bounds": name not in REFUSED,
        "reason": REFUSED.get(name, "within all bounds"),
    }


@pytest.fixture
def made(line: Path) -> Path:
    """A line up to quantize; the validation split has fewer examples than the largest batch."""
    (line / "params.yaml").write_text(
        "task: classification\n"
        "benchmark: {seconds: 0.5, batches: [1, 8, 64], slo_ms: 1000, max_spread: 0.1, tie: 0.05}\n"
    )
    content = np.random.default_rng(0).integers(0, 256, (5, int(np.prod(SHAPE))), np.uint8)
    (line / "data/prepared").mkdir(parents=True)
    rows = pa.table(
        {
            "label": pa.array(range(5), pa.int16()),
            "content": pa.array([row.tobytes() for row in content], pa.binary()),
        }
    )
    pq.write_table(rows, line / "data/prepared/validation.parquet", write_page_checksum=True)
    sides = dict(zip(("channels", "height", "width"), SHAPE, strict=True))
    described = {"kind": "image", "input": sides, "normalisation": {"mean": 0.5, "std": 0.25}}
    files.write_json("data/prepared/preprocessing.json", {**described, "rules": {}})
    settings = {
        "widths": [16],
        "activation": "relu",
        "initialisation": "default",
        "normalisation": "none",
        "dropout": 0.0,
    }
    with torch.random.fork_rng():
        weights = save(
            mlp.build(
                mlp.Settings.model_validate_json(json.dumps(settings)), **sides, outputs=10
            ).state_dict()
        )
    files.write_bytes("models/model.safetensors", weights)
    description = {
        "architecture": {"name": "mlp", "settings": settings},
        **described,
        "classes": [str(index) for index in range(10)],
        "outputs": 10,
        "weights": {"file": "model.safetensors", "sha256": files.sha256(weights)},
    }
    files.write_json("models/model.json", description)
    for name, graph in GRAPHS.items():
        files.write_bytes(f"models/variants/{name}.onnx", graph)
    files.write_json(
        "reports/quantization.json",
        {
            "variants": {name: variant(name) for name in GRAPHS},
            "left_out": {"fp16": "onnxruntime has no such kernel"},
            "export": {"n": 100},
            "max_drop_points": 0.2,
        },
    )
    return line


def report(name: str) -> Any:
    return json.loads(Path(f"reports/{name}.json").read_text())


@pytest.mark.slow
def test_the_cheapest_within_bounds_ships_and_everything_was_measured(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.main()
    facts = report("benchmark")
    assert facts["shipped"] == "int8"
    assert facts["reason"].endswith(
        f"refused: narrow_int8 ({REFUSED['narrow_int8'].removeprefix('narrow_int8 ')})"
    )
    choice = report("choice")
    assert choice == {
        "variant": "int8",
        **{key: variant("int8")[key] for key in ("file", "bytes", "sha256")},
    }, "nothing timed in it"

    variants = facts["variants"]
    assert variants.keys() == GRAPHS.keys(), "refused ones too"
    assert (
        variants["int8_dynamic"]["latency_ms"]["value"]
        > variants["fp32"]["latency_ms"]["value"]
        > variants["int8"]["latency_ms"]["value"]
    )
    assert variants["fp32"]["cost_ratio"] == 1
    assert variants["int8_dynamic"]["cost_ratio"] > 1 > variants["int8"]["cost_ratio"]
    cores = facts["hardware"]["cores"]
    for one in variants.values():
        assert {(row["batch"], row["threads"]) for row in one["runs"]} == {
            (batch, threads) for batch in (1, 8, 64) for threads in {1, cores}
        }
        assert all(
            row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] and row["n"] >= 3 for row in one["runs"]
        )
        assert one["machine_throughput"]["batch"] == variants["fp32"]["throughput"]["batch"]
        assert one["machine_throughput"]["threads"] == cores
        assert one["peak_mb"]["value"] > one["peak_mb"]["model_mb"] > 0
    assert [row["batch"] for row in facts["torch_eager"]["runs"]] == [
        row["batch"] for row in facts["torch_eager"]["channels_last_runs"]
    ]
    shipped = variants["int8"]["throughput"]
    (eager,) = (row for row in facts["torch_eager"]["runs"] if row["batch"] == shipped["batch"])
    assert facts["speedup"] == pytest.approx(shipped["value"] / eager["per_second"])
    assert facts["noisy"] == bool(facts["noise"])

    said = capsys.readouterr().out.splitlines()
    assert json.loads(said[-1])["shipped"] == "int8"
    assert [line.removeprefix("noisy: ") for line in said if line.startswith("noisy: ")] == facts[
        "noise"
    ]
    assert facts["reason"] in said
    rows = list(csv.DictReader(Path("reports/pareto.csv").read_text().splitlines()))
    assert {row["variant"]: row["within_bounds"] for row in rows} == {
        name: str(name not in REFUSED) for name in GRAPHS
    }
    assert [row["variant"] for row in rows if row["shipped"] == "True"] == ["int8"]

    page, known = (
        Page(Path("reports/benchmark.html").read_text()),
        {"benchmark": facts, "quantization": report("quantization")},
    )
    assert [text for text in page.strays if re.search(r"\d", text.replace("95\xa0%", ""))] == []
    assert len(page.figures) > 200
    for key, value, text in page.figures:
        assert lookup(known, key) == pytest.approx(value, rel=1e-12), key
        assert as_number(text) == pytest.approx(
            value, rel=0.006, abs=0.006 if "%" in text else 1e-12
        ), key
    assert page.links == []


@pytest.mark.slow
def test_fp32_ships_where_the_others_are_refused(made: Path) -> None:
    quantization = report("quantization")
    for name in ("int8", "int8_dynamic"):
        quantization["variants"][name] |= {
            "within_bounds": False,
            "reason": f"{name} lost too much",
        }
    files.write_json("reports/quantization.json", quantization)
    benchmark.main()
    assert report("choice")["variant"] == "fp32"
    assert "an honest no" in report("benchmark")["reason"]
    assert report("benchmark")["speedup_over_fp32"] == 1


def test_other_bytes_are_refused_and_nothing_is_written(made: Path) -> None:
    files.write_bytes("models/variants/int8.onnx", GRAPHS["fp32"])
    with pytest.raises(DataError, match=r"variants/int8\.onnx.*SHA-256"):
        benchmark.main()
    assert not Path("reports/choice.json").exists()


def test_a_variant_that_cannot_be_loaded_is_named(made: Path) -> None:
    quantization = report("quantization")
    files.write_bytes("models/variants/int8.onnx", GRAPHS["int8"][:3000])
    quantization["variants"]["int8"]["sha256"] = files.sha256(GRAPHS["int8"][:3000])
    files.write_json("reports/quantization.json", quantization)
    with pytest.raises(DataError, match=r"variants/int8\.onnx"):
        benchmark.main()
    assert not Path("reports/choice.json").exists()


def test_an_empty_validation_split_is_told(made: Path) -> None:
    path = made / "data/prepared/validation.parquet"
    pq.write_table(pq.read_table(path)[:0], path)
    with pytest.raises(DataError, match="holds no example"):
        benchmark.main()
