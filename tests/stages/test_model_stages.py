"""evaluate, quantize and benchmark on real digits and an untrained network, and on poisoned ones."""

import csv
import json
import shutil
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
from duli.evaluation import calibration
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


@pytest.fixture(scope="module")
def exported(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the stage quantize makes of the template, by path."""
    with pytest.MonkeyPatch.context() as there:
        folder = tmp_path_factory.mktemp("exported")
        shutil.copytree(template, folder, dirs_exist_ok=True)
        there.chdir(folder)
        quantize.main()
        return {name: Path(name).read_bytes() for name in ("models/model.onnx", "models/model.int8.onnx", "reports/quantization.json")}


@pytest.fixture
def quantized(made: Path, exported: dict[str, bytes]) -> Path:
    """A line of its own, quantized."""
    for name, content in exported.items():
        files.write_bytes(made / name, content)
    return made


def report(name: str) -> Any:
    return json.loads(Path(f"reports/{name}.json").read_text())


def test_evaluate_agrees_with_sklearn_and_its_own_tables(quantized: Path) -> None:
    evaluate.main()
    predictions, facts, shipped = pq.read_table("reports/predictions.parquet"), report("evaluation"), report("quantization")["choice"]
    labels = np.array(predictions["label"])
    probabilities = {name: np.array(predictions[name].to_pylist()) for name in ("torch", "fp32", "int8")}
    for name, one in probabilities.items():
        assert np.allclose(one.sum(axis=1), 1, atol=1e-5)
        assert facts["variants"][name]["accuracy"]["value"] == accuracy_score(labels, one.argmax(axis=1)) > 0.3
    assert facts["variant"] == shipped
    assert facts["accuracy"] == facts["variants"][shipped]["accuracy"]
    answers = {name: one.argmax(axis=1) == labels for name, one in probabilities.items()}
    assert facts["paired"]["drop_points"]["value"] == pytest.approx(100 * (answers["torch"].mean() - answers[shipped].mean()))
    assert facts["test_digest"] == json.loads((quantized / "data/prepared/stats.json").read_text())["splits"]["test"]["digest"]
    confusion = table("confusion")
    assert [int(row["label"]) for row in confusion] == labels.tolist()
    assert [int(row["prediction"]) for row in confusion] == probabilities[shipped].argmax(axis=1).tolist()
    assert sum(int(row["examples"]) for row in table("per_class")) == sum(int(row["examples"]) for row in table("reliability")) == 600
    assert float(table("risk_coverage")[-1]["accuracy"]) == facts["accuracy"]["value"]
    assert {row["by"] for row in table("slices")} <= set(facts["slices"]) == {"class", "ink", "stroke_width", "contrast"}


def table(name: str) -> list[dict[str, str]]:
    with Path(f"reports/{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_temperature_makes_probabilities_of_a_wrong_scale_honest(quantized: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last layer of the template was fitted by least squares and scaled at will: its probabilities mean nothing yet."""
    evaluate.main()
    facts = report("evaluation")
    assert facts["temperature"]["gain"]["low"] > 0
    assert facts["temperature"]["value"] == facts["temperature"]["fitted"] != 1.0
    monkeypatch.setattr(calibration.Temperature, "helps", False)
    evaluate.main()
    plain = report("evaluation")
    assert plain["temperature"]["value"] == 1.0
    assert plain["accuracy"] == facts["accuracy"]
    assert facts["log_loss"]["high"] < plain["log_loss"]["low"]


def test_a_column_of_the_data_set_is_a_slice(quantized: Path) -> None:
    path = quantized / "data/prepared/test.parquet"
    rows = pq.read_table(path)
    writer = ["first" if index < 450 else "second" if index < 590 else "third" for index in range(600)]
    pq.write_table(rows.append_column("writer", [writer]), path)
    evaluate.main()
    facts = report("evaluation")["slices"]["writer"]
    assert [row["group"] for row in facts["groups"]] == ["first", "second"]
    assert facts["not_judged"] == [{"group": "third", "n": 10}]


def test_evaluate_writes_the_same_bytes_each_time(quantized: Path) -> None:
    def written() -> dict[str, bytes]:
        evaluate.main()
        return {path.name: path.read_bytes() for path in (quantized / "reports").iterdir()}

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


def test_quantize_compares_both_on_validation_and_never_reads_test(made: Path) -> None:
    (made / "data/prepared/test.parquet").unlink()
    quantize.main()
    facts = report("quantization")
    examples = json.loads((made / "data/prepared/stats.json").read_text())["splits"]["validation"]["examples"]
    assert facts["export"]["disagreements"] == 0
    assert facts["export"]["n"] == facts["validation_paired"]["n"] == examples
    accuracies = {name: variant["validation_accuracy"]["value"] for name, variant in facts["variants"].items()}
    assert facts["validation_paired"]["drop_points"]["value"] == pytest.approx(100 * (accuracies["fp32"] - accuracies["int8"]))
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


def test_benchmark_measures_what_ships_and_refuses_other_bytes(quantized: Path) -> None:
    benchmark.main()
    facts = report("benchmark")
    assert facts["shipped"] == report("quantization")["choice"]
    for variant in facts["variants"].values():
        assert variant["latency_ms"]["p99"] >= variant["latency_ms"]["p95"] >= variant["latency_ms"]["value"] > 0
        assert variant["throughput"]["batch"] == 64
        assert variant["bytes"] > 1000
    (quantized / "models/model.int8.onnx").write_bytes((quantized / "models/model.onnx").read_bytes())
    with pytest.raises(DataError, match=r"model\.int8\.onnx does not have the SHA-256"):
        benchmark.main()
