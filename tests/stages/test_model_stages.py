"""evaluate, quantize and benchmark on real digits and an untrained network, and on poisoned ones."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import save
from sklearn.metrics import accuracy_score

from duli import files
from duli.compression import export, int8
from duli.errors import DataError, GateError
from duli.models import fastconv
from stages import benchmark, evaluate, fetch, prepare, quantize
from tests.stages.lines import make_line

SETTINGS = {"stem": 8, "blocks": [[8], [8]]}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, mnist_folder: Path) -> Path:
    """Prepared digits, and a network whose last layer alone was fitted, so that its answers mean something."""
    folder = make_line(tmp_path_factory.mktemp("template"), mnist_folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch.main()
        prepare.main()
    stats = json.loads((folder / "data/prepared/stats.json").read_text())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = fastconv.build(fastconv.Settings(stem=8, blocks=((8,), (8,))), channels=1, height=28, width=28, classes=10)
    normalisation = {"mean": stats["mean"], "std": stats["std"]}
    _fit_last_layer(model, folder, normalisation)
    weights = save(model.state_dict())
    files.write_bytes(folder / "models/model.safetensors", weights)
    files.write_json(
        folder / "models/model.json",
        {
            "architecture": {"name": "fastconv", "settings": SETTINGS, "source_sha256": files.sha256(str(fastconv.__file__))},
            "input": {"channels": 1, "height": 28, "width": 28},
            "classes": stats["classes"],
            "normalisation": normalisation,
            "weights": {"file": "model.safetensors", "sha256": files.sha256(weights), "parameters": 1},
        },
    )
    return folder


def _fit_last_layer(model: torch.nn.Module, folder: Path, normalisation: dict[str, float]) -> None:
    rows = pq.read_table(folder / "data/prepared/train.parquet", columns=["label", "content"])
    pixels = np.stack([np.frombuffer(content, np.uint8) for content in rows["content"].to_pylist()])
    images = (torch.from_numpy(pixels.reshape(-1, 1, 28, 28)).float() / 255 - normalisation["mean"]) / normalisation["std"]
    with torch.no_grad():
        model.train()(images)  # running statistics of the batch normalisation
        features = model[:-1].eval()(images)  # type: ignore[index]
        targets = torch.nn.functional.one_hot(torch.from_numpy(rows["label"].to_numpy().astype(np.int64)), 10).float()
        design = torch.cat([features, torch.ones(len(features), 1)], dim=1)
        solution = torch.linalg.solve(design.T @ design + 10 * torch.eye(design.shape[1]), design.T @ targets)
        model[-1].weight.copy_(10 * solution[:-1].T)  # type: ignore[index]
        model[-1].bias.copy_(10 * solution[-1])  # type: ignore[index]


@pytest.fixture
def made(template: Path, line: Path) -> Path:
    """A line of its own, as `template`."""
    for path in template.rglob("*"):
        if path.is_file() and "raw" not in path.parts:
            (line / path.relative_to(template)).parent.mkdir(parents=True, exist_ok=True)
            (line / path.relative_to(template)).write_bytes(path.read_bytes())
    return line


def report(name: str) -> Any:
    return json.loads(Path(f"reports/{name}.json").read_text())


def test_evaluate_agrees_with_sklearn_and_its_own_tables(made: Path) -> None:
    evaluate.main()
    predictions = pq.read_table("reports/predictions.parquet")
    assert report("evaluation")["accuracy"]["value"] == accuracy_score(predictions["label"], predictions["prediction"]) > 0.3
    assert report("evaluation")["test_digest"] == json.loads((made / "data/prepared/stats.json").read_text())["splits"]["test"]["digest"]
    with Path("reports/confusion.csv").open() as file:
        pairs = [(row["label"], row["prediction"]) for row in csv.DictReader(file)]
    assert pairs == [(str(a), str(b)) for a, b in zip(predictions["label"].to_pylist(), predictions["prediction"].to_pylist(), strict=True)]
    with Path("reports/per_class.csv").open() as file:
        assert sum(int(row["examples"]) for row in csv.DictReader(file)) == 600
    probabilities = np.array(predictions["probabilities"].to_pylist())
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_evaluate_writes_the_same_bytes_each_time(made: Path) -> None:
    def written() -> dict[str, bytes]:
        evaluate.main()
        return {path.name: path.read_bytes() for path in (made / "reports").iterdir()}

    assert written() == written()


@pytest.mark.parametrize("stage", [evaluate, quantize])
def test_a_flipped_bit_in_the_weights_is_refused(made: Path, stage: Any) -> None:
    weights = made / "models/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(DataError, match="SHA-256"):
        stage.main()
    assert not (made / "reports").exists()


def test_quantize_compares_both_on_the_whole_test_split(made: Path) -> None:
    quantize.main()
    facts = report("quantization")
    assert facts["export"]["disagreements"] == 0
    assert {name: variant["accuracy"]["n"] for name, variant in facts["variants"].items()} == {"fp32": 600, "int8": 600}
    difference = facts["variants"]["fp32"]["accuracy"]["value"] - facts["variants"]["int8"]["accuracy"]["value"]
    assert facts["paired"]["drop_points"] == pytest.approx(100 * difference)
    for variant in facts["variants"].values():
        assert files.sha256(made / "models" / variant["file"]) == variant["sha256"]
    before = {name: (made / "models" / name).read_bytes() for name in ("model.onnx", "model.int8.onnx")}
    quantize.main()
    assert {name: (made / "models" / name).read_bytes() for name in before} == before


def test_an_export_that_answers_differently_stops_the_line(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., bytes] = export.to_onnx
    monkeypatch.setattr(export, "to_onnx", lambda model, shape, mean, std: real(model, shape, mean + 0.2, std))
    with pytest.raises(GateError, match="disagrees with the trained one"):
        quantize.main()
    assert not list((made / "models").glob("*.onnx"))


def test_a_broken_int8_variant_never_ships(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., bytes] = int8.quantize

    def poisoned(model: bytes, images: Any) -> bytes:
        """One scale of an activation a hundred times too large."""
        proto = onnx.load_from_string(real(model, images))
        scale = next(one for one in proto.graph.initializer if one.name.endswith("_scale") and one.dims == [])
        scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(100), scale.name))
        return bytes(proto.SerializeToString())

    monkeypatch.setattr(int8, "quantize", poisoned)
    quantize.main()
    facts = report("quantization")
    assert facts["choice"] == "fp32"
    assert "more than the allowed" in facts["reason"]


def test_benchmark_measures_what_ships_and_refuses_other_bytes(made: Path) -> None:
    quantize.main()
    benchmark.main()
    facts = report("benchmark")
    assert facts["shipped"] == report("quantization")["choice"]
    for variant in facts["variants"].values():
        assert variant["latency_ms"]["p99"] >= variant["latency_ms"]["p95"] >= variant["latency_ms"]["value"] > 0
        assert variant["throughput"]["batch"] == 64
        assert variant["bytes"] > 1000
    (made / "models/model.int8.onnx").write_bytes((made / "models/model.onnx").read_bytes())
    with pytest.raises(DataError, match=r"model\.int8\.onnx does not have the SHA-256"):
        benchmark.main()
