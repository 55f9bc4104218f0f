"""A wheel of waves whose loudness is said: it is packed, proved, and answers."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper

from tests.closure import ROOT
from tests.packaging import tiny
from tests.serving.served import process
from tests.toys.line import PLACES, SAMPLES, TOYS

N = 60


class Released(NamedTuple):
    """The folder of a line whose wheel was packed, and the package in it."""

    folder: Path
    package: Path
    shown: str


def waves() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(N, SAMPLES)).astype("<f4")


def loudness() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of each wave; the model does not know the tenth of it that is added."""
    return (1.1 * np.sqrt((waves().astype(np.float64) ** 2).mean(axis=1))).astype(np.float32)


def model() -> bytes:
    """ONNX bytes: the root of the mean square."""
    constants = [helper.make_tensor("axes", TensorProto.INT64, [1], [1])]
    nodes = [
        helper.make_node("Mul", ["samples", "samples"], ["squares"]),
        helper.make_node("ReduceMean", ["squares", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sqrt", ["mean"], ["logits"]),
    ]
    samples = helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", SAMPLES])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    graph = helper.make_graph(nodes, "toy", [samples], [logits], constants)
    opset = [helper.make_opsetid("", 18)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=10)
    return bytes(made.SerializeToString())


def digest() -> str:
    """Of the test split, as `prepare` takes it."""
    whole = hashlib.sha256()
    for wave, label in zip(waves(), loudness().tolist(), strict=True):
        whole.update(f"{hashlib.sha256(wave.tobytes()).hexdigest()} {label}\n".encode())
    return whole.hexdigest()


def write_line(folder: Path) -> None:
    facts = tiny.write_line(folder, model(), n=N)
    error = float((loudness() / 11).mean(dtype=np.float64))
    facts["stats"] |= {"kind": "wave", "input": {"features": SAMPLES}}
    facts["stats"]["splits"]["test"]["digest"] = digest()
    facts["evaluation"] = {
        "test_digest": digest(),
        "variant": "int8",
        "n": N,
        "mean_absolute_error": {"value": error, "low": error / 2, "high": error * 2, "n": N},
    }
    tiny.rewrite(folder, facts)
    params = {"kind": "wave", "task": "loudness", "release": tiny.RELEASE}
    (folder / "params.yaml").write_text(json.dumps(params))
    table = {
        "label": pa.array(loudness()),
        "content": pa.array([wave.tobytes() for wave in waves()], pa.binary()),
    }
    pq.write_table(pa.table(table), folder / "data/prepared/test.parquet")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    folder, code = tmp_path_factory.mktemp("line"), tmp_path_factory.mktemp("code")
    for name in ("duli", "stages"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, code / name, ignore=ignored)
    shutil.copy(ROOT / "requirements.lock", code)
    for place in PLACES:
        shutil.copytree(TOYS / place, code / "duli" / place, dirs_exist_ok=True)
    write_line(folder)
    packed = subprocess.run(
        [sys.executable, "-c", "from stages import package; package.main()"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert packed.returncode == 0, packed.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return Released(folder, folder / "site/bright_row", packed.stdout)


def run(released: Released, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bright_row", *arguments],
        cwd=released.folder,
        env={**os.environ, "PYTHONPATH": str(released.package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_proved_and_its_papers_know_no_class(released: Released) -> None:
    assert f"off by {(loudness() / 11).mean():.6f} on the test waves" in released.shown
    rooms = {
        path.relative_to(released.package).parts[:2] for path in released.package.rglob("*.py")
    }
    assert {
        room for room in rooms if room[0] in ("kinds", "tasks") and room[1] != "__init__.py"
    } == {
        ("kinds", "wave"),
        ("tasks", "loudness"),
    }
    dist = released.folder / "dist"
    assert not (dist / "labels.txt").exists()
    card = (dist / "MODEL_CARD.md").read_text()
    assert "is off by" in card
    for paper in (card, *((dist / name).read_text() for name in ("README.md", "inference.json"))):
        assert "class" not in paper
        assert "accuracy" not in paper
        assert "probabilit" not in paper


def test_its_command_answers_and_evaluates(released: Released) -> None:
    np.save(released.folder / "waves.npy", waves())
    answered = run(released, "predict", "waves.npy", "--json")
    assert answered.stderr == ""
    lines = [json.loads(line) for line in answered.stdout.splitlines()]
    assert lines[1].keys() == {"file", "wave", "loudness"}
    assert np.allclose([line["loudness"] for line in lines], loudness() / 1.1, atol=1e-6)
    table = run(released, "predict", "waves.npy").stdout.splitlines()
    assert (table[0].split(), len(table)) == (["file", "wave", "loudness"], N + 1)
    rows = [
        json.dumps({"wave": wave.tolist(), "label": label}) + "\n"
        for wave, label in zip(waves(), loudness().tolist(), strict=True)
    ]
    (released.folder / "own.jsonl").write_text("".join(rows))
    assert "it MATCHES" in run(released, "evaluate", "own.jsonl").stdout
    (released.folder / "other.jsonl").write_text("".join(rows[1:]))
    assert "other waves than the card's" in run(released, "evaluate", "other.jsonl").stdout


def test_its_server_answers(released: Released) -> None:
    def ask(path: str, body: Any = None) -> Any:
        sent = json.dumps(body).encode() if body else None
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", sent, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=10) as response:
            return response.read().decode()

    wave = waves()[0].tolist()
    expected = pytest.approx(float(loudness()[0] / 1.1), abs=1e-5)
    with process(released.package) as (_, port):
        answer = json.loads(ask("/predict", {"waves": [wave]}))
        assert answer == {"predictions": [{"loudness": expected}]}
        tensor = {"name": "samples", "shape": [1, SAMPLES], "datatype": "FP32", "data": [wave]}
        (output,) = json.loads(ask("/v2/models/bright-row/infer", {"inputs": [tensor]}))["outputs"]
        assert (output["name"], output["shape"], output["data"]) == ("loudness", [1], [expected])
        described = json.loads(ask("/openapi.json"))
        assert described["components"]["schemas"]["Prediction"]["properties"].keys() == {"loudness"}
        assert "<meter" in ask("/")
        assert "is off by" in ask("/show.js")
        assert "class" not in ask("/about")
