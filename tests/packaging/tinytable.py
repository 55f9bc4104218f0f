"""A tiny model that says which of three features is the largest, a missing one being 0, and all a
release of it needs.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.packaging import tiny, tinytext

CLASSES = ["left", "middle", "right"]
FEATURES = ["length", "width, cm", "高度"]
CENTRED = {"length": [1.7e12, 2.0]}  # of a line; a package by itself has none


def model(scale: float = 1.0) -> bytes:
    """ONNX bytes; a negative `scale` makes a model that names the smallest."""
    nodes = [
        helper.make_node("IsNaN", ["features"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "features"], ["known"]),
        helper.make_node("Mul", ["known", "scale"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [
            numpy_helper.from_array(np.float32(value), name)
            for name, value in (("zero", 0), ("scale", scale))
        ],
    )
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
        ).SerializeToString()
    )


def rows(n: int) -> NDArray[np.float32]:
    """`n` rows whose class is n % 3; every fourth lacks a value."""
    found = np.random.default_rng(0).uniform(-1, 1, (n, 3)).astype(np.float32)
    found[np.arange(n), np.arange(n) % 3] = 3.5
    found[np.arange(3, n, 4), (np.arange(3, n, 4) + 1) % 3] = math.nan
    return found


def package(folder: Path, content: bytes | None = None, **changes: Any) -> Path:
    """An installed package of the release."""
    facts: dict[str, Any] = {
        "kind": "table",
        "classes": CLASSES,
        "input": {"features": 3},
        "features": FEATURES,
        "dataset": "sizes",
    }
    return tiny.package(folder, model() if content is None else content, **{**facts, **changes})


def write_line(folder: Path, content: bytes | None = None, n: int = 60) -> dict[str, Any]:
    """The inputs of the stage `package` in `folder`."""
    facts = tiny.write_line(folder, model() if content is None else content, right=n, n=n)
    facts["stats"] |= {
        "kind": "table",
        "input": {"features": 3},
        "features": FEATURES,
        "classes": CLASSES,
        "centred": CENTRED,
    }
    facts["model"]["classes"] = CLASSES
    del facts["evaluation"]["robustness"]["pgd"]
    tiny.rewrite(folder, facts)
    tinytext.write_test(folder, [row.astype("<f4").tobytes() for row in rows(n)], 3)
    return facts
