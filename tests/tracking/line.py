"""A release line as `track` finds it: the files all stages left, small, with a real ONNX model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from duli.base.files import sha256
from stages.track import ASSUMPTIONS, PARETO

CLASSES = 3

TABLES = (*(f"reports/evaluation/{name}.csv" for name in ("per_class", "robustness")), PARETO)


def model(bias: float) -> bytes:
    """Two pixels in, three logits out; `bias` makes models differ."""
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"]),
    ]
    weights = [
        helper.make_tensor("weight", TensorProto.FLOAT, [2, CLASSES], np.arange(2.0 * CLASSES)),
        helper.make_tensor("bias", TensorProto.FLOAT, [CLASSES], [bias] * CLASSES),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 1, 1, 2])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])
    graph = helper.make_graph(nodes, "small", [images], [logits], weights)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    ).SerializeToString()


def build(
    folder: Path,
    *,
    bias: float = 1.0,
    accuracy: float = 0.99,
    cost: float = 12.5,
    name: str = "digits",
) -> None:
    """Writes the line; same arguments, same bytes."""
    onnx.checker.check_model(onnx.load_from_string(model(bias)))
    share = {"value": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.005, "n": 1000}
    speed = {"latency_ms": {"value": 0.5, "n": 9}, "throughput": {"value": 2000.0, "n": 9}}
    digest = sha256(model(bias))
    _json(folder / "data/prepared/stats.json", _stats())
    _text(
        folder / "models/history.csv",
        "step,epoch,train_loss,validation_accuracy\n1,1,0.5,\n2,1,0.25,0.9\n",
    )
    _write(folder / "models/variants/int8.onnx", model(bias))
    _json(folder / "models/model.json", {"classes": ["0", "1", "2"]})
    _write(folder / "models/model.safetensors", b"weights %r" % bias)
    _json(folder / "reports/validation.json", {"success": True, "outcomes": [1, 2]})
    _json(folder / "reports/train.json", {"parameters": 9, "epochs": 1})
    _json(
        folder / "reports/evaluation.json",
        {"accuracy": share, "macro_f1": 0.98, "log_loss": 0.05, "coverage": share},
    )
    variants = {"int8": {"file": "variants/int8.onnx", "bytes": 2500, "sha256": digest}}
    _json(folder / "reports/quantization.json", {"variants": variants})
    _json(
        folder / "reports/benchmark.json",
        {"shipped": "int8", "variants": {"int8": {"bytes": 2500, **speed}}},
    )
    _json(
        folder / "reports/business.json",
        {"unit_cost_usd_per_million": {"value": cost}, "gross_margin": {"value": 0.8}},
    )
    _json(folder / "reports/gates.json", {"verdict": "release", "gates": 1, "results": []})
    pages = ("report.html", "report.zh.html", "report.md", "evaluation.html", "benchmark.html")
    for page in (*(f"reports/{page}" for page in pages), *TABLES, ASSUMPTIONS):
        _text(folder / page, f"{page} {accuracy} {cost}\n")
    _write(folder / "reports/predictions.parquet", b"predictions %r" % bias)
    _text(folder / "dist/MODEL_CARD.md", "# Digits\n\nReads a digit.\n")
    _json(
        folder / "dist/manifest.json",
        {"name": name, "version": "0.1.0", "model": {"variant": "int8", "sha256": digest}},
    )
    sidecar = {"started": 1.0, "seconds": 30.0, "mlflow_run_id": "abc"}
    _json(folder / "reports/resources/train.json", sidecar)
    _text(
        folder / "params.yaml",
        "kind: image\ntask: classification\n"
        "train:\n  learning_rate: 0.1\n  layers: [1, 2]\nevaluate:\n  note: plain\n",
    )
    (folder / ".dvc").mkdir(exist_ok=True)


def _stats() -> dict[str, Any]:
    return {
        "dataset": "mnist",
        "splits": {
            split: {"examples": 10, "digest": sha256(split.encode())}
            for split in ("train", "validation", "test")
        },
    }


def _json(path: Path, value: Any) -> None:
    _text(path, json.dumps(value))


def _text(path: Path, text: str) -> None:
    _write(path, text.encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
