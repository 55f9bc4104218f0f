"""A tiny model that says which row of an image is the brightest, and all a release of it needs."""

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

from duli import serving
from duli.packaging import kinds, manifest
from duli.packaging.params import Release

CLASSES = ["top", "middle", "bottom"]
SHAPE = (1, 3, 4)  # channels, height, width
DIGEST = "0123456789abcdef" * 4
RELEASE = {
    "name": "bright-row",
    "version": "1.2.0rc1",
    "title": "Brightest row",
    "summary": 'Says which row of a tiny image is the "brightest" \\ lightest.',
    "publisher": "Zoë & Söhne 🎈",
    "licence": "Apache-2.0",
    "intended": ["Tests."],
    "not_intended": ["Anything else."],
    "limits": ["Knows three rows."],
    "sign": False,
}


def release(**changes: Any) -> Release:
    return Release.model_validate_json(json.dumps({**RELEASE, **changes}))


def model(
    axes: tuple[int, int] = (1, 3),
    scale: float = 0.1,
    channels: int = 1,
    bias: float = 0.0,
    size: tuple[int, int] = SHAPE[1:],
) -> bytes:
    """ONNX bytes; a negative `scale` makes a model that names the darkest row, NaN one without
    answers, `bias` one that likes the top.

    There is a class for each row of the images' `size`.
    """
    rows = size[0]
    constants = [
        helper.make_tensor("scale", TensorProto.FLOAT, [], [scale]),
        helper.make_tensor("axes", TensorProto.INT64, [2], axes),
    ]
    constants += [
        helper.make_tensor("bias", TensorProto.FLOAT, [rows], [bias, *[0.0] * (rows - 1)])
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", channels, *size])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", rows])
    graph = helper.make_graph(nodes, "tiny", [images], [logits], constants)
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
        ).SerializeToString()
    )


def overflowing() -> bytes:
    """ONNX bytes that say "top" where that row is bright, else "middle"; sums of 16 bits never
    reach what "top" needs.
    """
    weights = np.zeros((12, 3), np.int8)
    weights[:4, 0] = 127
    constants = [
        numpy_helper.from_array(weights, "weights"),
        # 2 sums of 32,767 are less
        helper.make_tensor("bias", TensorProto.INT32, [3], [0, 70_000, 0]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [1e-4]),
    ]
    nodes = [
        helper.make_node("Flatten", ["images"], ["pixels"]),
        helper.make_node("MatMulInteger", ["pixels", "weights"], ["sums"]),
        helper.make_node("Add", ["sums", "bias"], ["biased"]),
        helper.make_node("Cast", ["biased"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["logits"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *SHAPE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "tiny", [images], [logits], constants)
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
        ).SerializeToString()
    )


def images(n: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """`n` images whose brightest row is n % 3."""
    pixels = np.random.default_rng(0).integers(0, 100, (n, *SHAPE), dtype=np.uint8)
    pixels[np.arange(n), :, np.arange(n) % 3] += 100
    return pixels


def package(
    folder: Path,
    content: bytes | None = None,
    channels: int = 1,
    temperature: float = 1.0,
    signature: dict[str, str] | None = None,
    carried: dict[str, bytes] | None = None,
    **changes: Any,
) -> Path:
    """An installed package of the release, with the code of duli/serving that its kind needs;
    `changes` are made to its release.json.

    `carried` are further files of it.
    """
    content = model(channels=channels) if content is None else content
    folder.mkdir(parents=True)
    facts = {
        "name": "bright-row",
        "version": "1.2.0rc1",
        "signature": signature,
        "classes": CLASSES,
        "kind": "image",
        "input": {"channels": channels, "height": SHAPE[1], "width": SHAPE[2]},
        "model": {"file": "model.onnx"},
        "temperature": temperature,
        "threshold": 0.9,
        "dataset": "rows",
        "title": RELEASE["title"],
        "publisher": RELEASE["publisher"],
        "licence": RELEASE["licence"],
        "test_digest": DIGEST,
        "numbers": {"evaluation": {"accuracy": share(60, 60)}},
        **changes,
    }
    code = [
        path
        for path in Path(serving.__path__[0]).iterdir()
        if path.is_file() and kinds.needs(facts["kind"], path.name)
    ]
    contents = {path.name: path.read_bytes() for path in code} | (carried or {})
    contents |= {
        "model.onnx": content,
        "release.json": json.dumps(facts).encode(),
        "MODEL_CARD.md": b"# A card\n",
    }
    contents["manifest.json"] = manifest.of_package("bright-row", "1.2.0rc1", contents)
    for name, bytes_ in contents.items():
        (folder / name).write_bytes(bytes_)
    return folder


def share(right: int, n: int) -> dict[str, Any]:
    return {
        "value": right / n,
        "low": max(right / n - 0.0123, 0),
        "high": min(right / n + 0.0045, 1),
        "n": n,
    }


def evidence(content: bytes, right: int, n: int) -> dict[str, Any]:
    """What the stages before `package` would have written of a model that gets `right` of `n`
    right.
    """
    variants = {
        name: {
            "file": f"variants/{name}.onnx",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "validation_accuracy": share(17, 19),
            "within_bounds": True,
        }
        for name in ("fp32", "int8")
    }
    variants["int8"]["paired"] = {
        "n": 19,
        "lost": 1,
        "won": 0,
        "drop_points": {"value": 5.263, "low": -3.871, "high": 9.417},
    }
    speed = {
        "bytes": len(content),
        "load_ms": {"value": 1.5, "spread": 0.25, "n": 5},
        "latency_ms": {"value": 0.0517, "p95": 0.0613, "p99": 0.0719, "spread": 0.011, "n": 1009},
        "throughput": {
            "value": 50021.4,
            "spread": 0.0172,
            "n": 7001,
            "batch": 64,
            "threads": 1,
            "p99_ms": 1.531,
        },
        "machine_throughput": {
            "value": 90017.8,
            "spread": 0.0431,
            "n": 7001,
            "batch": 64,
            "threads": 2,
        },
        "peak_mb": {"value": 71.3, "spread": 0.01, "n": 3},
        "cost_ratio": 0.4871,
    }
    return {
        "raw": {
            "dataset": "rows",
            "title": "Rows",
            "licence": "CC0-1.0",
            "terms": {"spdx": "CC0-1.0", "permits": ["anything"], "requires": []},
            "sources": ["mirror https://rows.example/"],
            "files": {"rows.bin": {"bytes": 40961, "sha256": DIGEST}},
        },
        "preprocessing": {
            "kind": "image",
            "normalisation": {"mean": 0.13, "std": 0.31},
            "rules": {},
        },
        "train": {"parameters": 7841, "epochs": 3, "steps": 871},
        "stats": {
            "dataset": "rows",
            "title": "Rows",
            "licence": "CC0-1.0",
            "classes": CLASSES,
            "kind": "image",
            "input": dict(zip(("channels", "height", "width"), SHAPE, strict=True)),
            "splits": {
                name: {"examples": count, "per_class": [], "digest": DIGEST}
                for name, count in (("train", 1201), ("validation", 19), ("test", n))
            },
            "quarantined": {"duplicate": 3, "unreadable": 2},
        },
        "model": {
            "architecture": {"name": "rows", "settings": {}, "source_sha256": DIGEST},
            "classes": CLASSES,
            "weights": {"file": "model.safetensors", "sha256": DIGEST, "parameters": 7841},
            "data": {"dataset": "rows", "train_digest": DIGEST, "validation_digest": DIGEST},
            "train": {"epochs": 3, "seed": 0},
            "precision": "bfloat16",
            "device": "cpu",
            "versions": {"python": "3.11.7", "torch": "2.14.1"},
        },
        "evaluation": {
            "test_digest": DIGEST,
            "variant": "int8",
            "judged_on": {
                "cpu": "Xeon",
                "flags": ["avx2"],
                "versions": {"onnxruntime": "1.32.0", "numpy": "2.4.6"},
            },
            "temperature": {"value": 0.5},
            "wrong": n - right,
            "brier": {"value": 0.0417, "low": 0.03, "high": 0.05, "n": n},
            "slices": {
                "thickness": {
                    "groups": [
                        {"group": "1 to 2", **share(n // 3, n // 2)},
                        {"group": "2 to 5", **share(n // 3 + 3, n // 2)},
                    ],
                    "not_judged": [{"group": "5 to 9", "n": 13}],
                    "worst": {"group": "1 to 2", **share(n // 3, n // 2)},
                    "difference": 0.0723,
                    "ratio": 0.9,
                },
                "brightness": {"groups": [], "not_judged": [{"group": "low", "n": 11}]},
            },
            "robustness": {
                "clean": share(right, n),
                "corruptions": {"shot_noise": share(n // 3, n), "fog": share(n // 4, n)},
                "mean": share(n // 3 - 2, n),
                "worst": {"name": "fog", **share(n // 4, n)},
                "pgd": {"8_of_255": {"trained": share(n // 5, n), "shipped": share(n // 5 + 1, n)}},
                "pgd_steps": 20,
            },
            "skipped": {},
            "export": {
                "max_logit_difference": 1.25e-05,
                "max_probability_difference": 3.75e-06,
                "disagreements": 0,
                "n": n,
            },
            "variants": {name: {"accuracy": share(right, n)} for name in ("torch", "fp32", "int8")},
            "paired": {
                "n": n,
                "lost": 2,
                "won": 1,
                "drop_points": {"value": 0.0137, "low": -0.0211, "high": 0.0523},
            },
            "n": n,
            "accuracy": share(right, n),
            "macro_f1": {"value": 0.8517, "low": 0.84, "high": 0.86, "n": n},
            "log_loss": {"value": 0.6123, "low": 0.59, "high": 0.64, "n": n},
            "calibration_error": {"value": 0.0271, "low": 0.02, "high": 0.04, "n": n},
            "confidence_threshold": 0.9,
            "coverage": share(n // 2, n),
            "accuracy_of_accepted": share(n // 2 - 1, n // 2),
        },
        "quantization": {
            "variants": variants,
            "left_out": {"int8_dynamic": "no multiplication of matrices in it"},
        },
        "choice": {
            "variant": "int8",
            **{key: variants["int8"][key] for key in ("file", "bytes", "sha256")},
        },
        "benchmark": {
            "shipped": "int8",
            "hardware": {
                "cpu": "Xeon",
                "cores": 2,
                "flags": ["avx2"],
                "memory_gib": 7.8,
                "system": "Linux x86_64",
            },
            "versions": {"python": "3.11.7", "onnxruntime": "1.32.0"},
            "variants": {"fp32": speed, "int8": speed},
            "reason": "int8 is the cheapest",
            "speedup": 6.173,
            "slo_ms": 10.0,
            "noisy": False,
            "noise": [],
        },
    }


def write_line(
    folder: Path, content: bytes | None = None, right: int = 60, n: int = 60, **changes: Any
) -> dict[str, Any]:
    """The inputs of the stage `package` in `folder`; the test split has the labels that `model()`
    gives.
    """
    content = model() if content is None else content
    facts = evidence(content, right, n)
    for name in ("data/raw", "data/prepared", "models/variants", "reports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rewrite(folder, facts)
    (folder / "params.yaml").write_text(
        json.dumps({"kind": "image", "task": "classification", "release": {**RELEASE, **changes}})
    )
    for name in facts["quantization"]["variants"]:
        (folder / f"models/variants/{name}.onnx").write_bytes(content)
    table = {
        "label": pa.array([index % 3 for index in range(n)], pa.int16()),
        "content": pa.array([image.tobytes() for image in images(n)], pa.binary()),
    }
    pq.write_table(pa.table(table), folder / "data/prepared/test.parquet", row_group_size=23)
    return facts


def rewrite(folder: Path, facts: dict[str, Any]) -> None:
    for path, name in (
        ("data/raw/dataset.json", "raw"),
        ("reports/train.json", "train"),
        ("data/prepared/stats.json", "stats"),
        ("data/prepared/preprocessing.json", "preprocessing"),
        ("models/model.json", "model"),
        ("reports/evaluation.json", "evaluation"),
        ("reports/quantization.json", "quantization"),
        ("reports/benchmark.json", "benchmark"),
        ("reports/choice.json", "choice"),
    ):
        (folder / path).write_text(json.dumps(facts[name]))


def unpack(folder: Path, path: Path, _: dict[str, str]) -> None:
    """In the place of an installation, which takes a second: the wheel unpacked, with a command
    beside it.
    """
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "site")
    name = RELEASE["name"]
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH='{folder / 'site'}' exec '{sys.executable}' -m"
        f' {name.replace("-", "_")} "$@"\n'
    )
    program.chmod(0o755)
