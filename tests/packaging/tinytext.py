"""A tiny model that says whether a text praises or complains, and all a release of it needs."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

from duli.kinds.text.reading import tokenizer
from tests.packaging import tiny

CLASSES = ["bad", "good"]
LENGTH = 8
SENTENCES = [
    "这家酒店很好",
    "服务好，房间好",
    "早餐坏了",
    "电脑坏，屏幕坏",
    "这本书很好看",
    "这本书坏极了",
    "Good value, good place",
    "bad, bad service",
    "房间很坏",
    "好好好 坏坏坏",
]


@cache
def rules() -> bytes:
    """The tokenizer.json of these sentences."""
    return tokenizer.train(SENTENCES * 3, 60)


def model(scale: float = 1.0) -> bytes:
    """ONNX bytes: 好 speaks for good, 坏 for bad, every other token for nothing; negative `scale`:
    the other way round.
    """
    table = np.zeros((tokenizer.size(rules()), 2), np.float32)
    for character, column in (("坏", 0), ("好", 1)):
        (token,) = _tokens(character)
        table[token, column] = scale
    nodes = [
        helper.make_node("Cast", ["tokens"], ["indices"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "indices"], ["each"], axis=0),
        helper.make_node("ReduceSum", ["each", "axes"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(table, "table"),
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        ],
    )
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
        ).SerializeToString()
    )


def _tokens(text: str) -> list[int]:
    return [int(token) for token in tokenizer.encode(rules(), [text], LENGTH)[0, 1:] if token]


def texts(n: int) -> list[str]:
    """`n` texts of different lengths, whose class is n % 2."""
    return [("好 " if index % 2 else "坏 ") * (1 + index % 5) for index in range(n)]


def package(folder: Path, content: bytes | None = None, **changes: Any) -> Path:
    """An installed package of the release."""
    facts: dict[str, Any] = {
        "kind": "text",
        "classes": CLASSES,
        "input": size(),
        "example": "这家酒店很好！",
        "dataset": "praise",
    }
    return tiny.package(
        folder,
        model() if content is None else content,
        carried={"tokenizer.json": rules()},
        **{**facts, **changes},
    )


def size() -> dict[str, int]:
    return {"length": LENGTH, "vocabulary": tokenizer.size(rules())}


def write_line(folder: Path, content: bytes | None = None, n: int = 60) -> dict[str, Any]:
    """The inputs of the stage `package` in `folder`."""
    facts = tiny.write_line(
        folder, model() if content is None else content, right=n, n=n, example="这家酒店很好！"
    )
    facts["stats"] |= {"kind": "text", "input": size(), "classes": CLASSES}
    facts["model"]["classes"] = CLASSES
    facts["preprocessing"] = {
        "kind": "text",
        "input": size(),
        "normalisation": {},
        "rules": {"tokenizer": rules().decode()},
    }
    del facts["evaluation"]["robustness"]["pgd"]
    tiny.rewrite(folder, facts)
    write_test(folder, [text.encode() for text in texts(n)], 2)
    return facts


def write_test(folder: Path, contents: list[bytes], classes: int) -> None:
    """The test split, in which the classes follow each other."""
    labels = pa.array([index % classes for index in range(len(contents))], pa.int16())
    table = pa.table({"label": labels, "content": pa.array(contents, pa.binary())})
    pq.write_table(table, folder / "data/prepared/test.parquet", row_group_size=23)


def lines(some: list[str]) -> bytes:
    """A .jsonl of texts."""
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in some)
