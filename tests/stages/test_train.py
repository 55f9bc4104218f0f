"""The stage on a small piece of real MNIST: what it leaves behind, twice the same bytes, and what
it refuses.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load

from duli.base import files, kinds
from duli.base.errors import DataError, DuliError, GateError, ParamsError
from duli.kinds.image.learning.inputs import Pixels
from duli.models.shared.restore import restore
from duli.tasks.classification.learning.learn import Learning
from duli.tasks.classification.targets.targets import Targets
from duli.tracking.client.store import Store
from duli.training.feed import Examples
from duli.training.loop import evaluate
from harness.clone import make_line
from stages import train
from tests.closure import ROOT
from tests.tracking.conftest import fresh, migrated  # noqa: F401

SIZE = {"channels": 1, "height": 28, "width": 28}
KIND = kinds.kind("image", SIZE)
TARGETS = Targets([*"0123456789"])
ROWS = {"train": 2048, "validation": 512}
DIGESTS = {split: f"digest of {split}" for split in ROWS}

PARAMS = """
task: classification
model: {name: fastconv, fastconv: {stem: 8, blocks: [[16], [16]]}}
train:
  epochs: 3
  hardest: 0.5
  batch: 64
  micro_batch: null
  loss: cross_entropy
  label_smoothing: 0.05
  optimizer: adamw
  learning_rate: 0.02
  weight_decay: 0.01
  schedule: one_cycle
  warm_up: 0.3
  clip_norm: null
  ema: null
  evaluations: 8
  early_stopping: null
  augmentation: {rotate: 5, scale: 0.1, shear: 0, shift: 1, elastic: 0}
  transfer: {init_from: null, sha256: null, frozen: 0, unfreeze: 0.0, layer_decay: 1.0}
  pretraining: null
  precision: float32
  device: cpu
  threads: 1
  compile: false
  deterministic: true
  examples: auto
  parallel: ddp
  activation_checkpointing: false
  checkpoint: {steps: null, minutes: 1}
  seed: 0
"""


class Recorder:
    """Stands in for MLflow's live run, which has tests of its own."""

    runs: list["Recorder"] = []  # noqa: RUF012

    def __init__(
        self,
        store: object,
        experiment: str,
        name: str,
        params: dict[str, str],
        tags: dict[str, str],
    ) -> None:
        self.experiment, self.name, self.params, self.tags = experiment, name, params, tags
        self.points: list[tuple[int, dict[str, float]]] = []
        self.failed = False
        Recorder.runs.append(self)

    def log(self, step: int, metrics: dict[str, float]) -> None:
        self.points.append((step, metrics))

    def close(self, status: str = "FINISHED") -> str | None:
        return "run-1"

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.failed = kind is not None


@pytest.fixture
def prepared(line: Path, mnist_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A release line whose data are prepared and valid."""
    monkeypatch.setenv("DVC_ROOT", str(line))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(train, "LiveRun", Recorder)
    monkeypatch.setattr(Recorder, "runs", [])
    images = np.fromfile(
        mnist_folder / "train-images-idx3-ubyte",
        np.uint8,
        offset=16,
        count=784 * sum(ROWS.values()),
    ).reshape(-1, 784)
    labels = np.fromfile(
        mnist_folder / "train-labels-idx1-ubyte", np.uint8, offset=8, count=sum(ROWS.values())
    )
    (line / "params.yaml").write_text(PARAMS)
    (line / "data/prepared").mkdir(parents=True)
    start = 0
    for split, rows in ROWS.items():
        write(split, images[start : start + rows], labels[start : start + rows])
        start += rows
    stats = {"dataset": "mnist", "classes": list("0123456789")}
    described = {
        "kind": "image",
        "input": SIZE,
        "normalisation": {"mean": 0.13, "std": 0.31},
        "rules": {},
    }
    files.write_json("data/prepared/preprocessing.json", described)
    files.write_json(
        "data/prepared/stats.json",
        {**stats, "splits": {split: {"digest": digest} for split, digest in DIGESTS.items()}},
    )
    files.write_json("reports/validation.json", {"success": True, "digests": DIGESTS})
    threads = torch.get_num_threads()
    yield line
    torch.set_num_threads(threads)


def write(split: str, images: np.ndarray, labels: np.ndarray) -> None:
    contents = pa.array([image.tobytes() for image in images], pa.binary())
    table = pa.table(
        {
            "id": [str(row) for row in range(len(images))],
            "label": pa.array(labels, pa.int16()),
            "content": contents,
        }
    )
    pq.write_table(table, f"data/prepared/{split}.parquet", row_group_size=500)


def test_what_it_leaves_explains_itself(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = train.main()
    first = {
        file: files.sha256(prepared / file)
        for file in ("models/model.safetensors", "models/model.json", "models/history.csv")
    }
    torch.set_num_threads(2)
    train.main()
    assert facts == {"device": "cpu", "processes": 1, "mlflow_run_id": "run-1"}
    assert {file: files.sha256(prepared / file) for file in first} == first
    assert len(capsys.readouterr().out.splitlines()) <= 2 * 3

    description = json.loads((prepared / "models/model.json").read_text())
    report = json.loads((prepared / "reports/train.json").read_text())
    weights = files.verified("models/model.safetensors", description["weights"]["sha256"])
    model = restore(description, weights)
    assert (
        sum(weight.numel() for weight in model.parameters())
        == description["weights"]["parameters"]
        == report["parameters"]
    )
    assert description["data"] == {
        "dataset": "mnist",
        "train_digest": "digest of train",
        "validation_digest": "digest of validation",
    }
    assert description["train"]["augmentation"]["shift"] == 1
    assert description["precision"] == "float32"
    assert description["architecture"]["source_sha256"] == files.sha256(
        Path(train.__file__).parents[1] / "duli/models/fastconv.py"
    )

    accuracy = report["validation_accuracy"]
    assert 0.85 < accuracy["low"] < accuracy["value"] < accuracy["high"]
    images, labels = train._read("validation", KIND, TARGETS)
    loss, correct = evaluate(
        model,
        Examples(images, labels),
        Learning(description),
        Pixels(**description["normalisation"]),
    )
    assert loss / len(labels) == pytest.approx(report["validation_loss"], rel=1e-5)
    assert correct == round(accuracy["value"] * accuracy["n"])
    rows = list(csv.DictReader((prepared / "models/history.csv").read_text().splitlines()))
    assert float(rows[-1]["validation_accuracy"]) == accuracy["value"]
    assert (
        (int(rows[-1]["step"]), int(rows[-1]["epoch"]))
        == (report["steps"], report["epochs"])
        == (32 + 16 + 16, 3)
    )
    assert all(float(value) >= 0 for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("dataset", "experiment"), [("mnist", "mnist-training"), ("own", "some-opinions-training")]
)
def test_trainings_on_own_data_are_named_after_these(dataset: str, experiment: str) -> None:
    assert train._experiment({"dataset": dataset, "title": "Some opinions"}) == experiment


def test_curves_and_params_are_told_to_the_live_run(prepared: Path) -> None:
    train.main()
    (run,) = Recorder.runs
    assert run.experiment == "mnist-training"
    assert run.params["train.augmentation.shift"] == "1"
    assert run.params["model.settings.blocks"] == "[[16], [16]]"
    assert run.tags["train_digest"] == "digest of train"
    assert {name for _, metrics in run.points for name in metrics} == {
        "train_loss",
        "learning_rate",
        "validation_loss",
        "validation_accuracy",
    }
    assert not run.failed


def nothing_made(line: Path) -> bool:
    return not (line / "models").exists() and not (line / "reports/train.json").exists()


@pytest.mark.parametrize(
    "verdict",
    [
        {"success": False},
        {"success": "true"},
        {"success": 1},
        {"success": None},
        {"digests": None},
        {"digests": {"train": "another"}},
    ],
)
def test_data_that_did_not_pass_are_not_trained_on(prepared: Path, verdict: dict[str, Any]) -> None:
    files.write_json("reports/validation.json", {"success": True, "digests": DIGESTS, **verdict})
    with pytest.raises(GateError, match="does not say that this data is valid"):
        train.main()
    assert nothing_made(prepared)


@pytest.mark.parametrize(
    ("old", "new", "kind", "complaint"),
    [
        ("learning_rate: 0.02", "learning_rate: .nan", ParamsError, "train.learning_rate"),
        ("epochs: 3", "epoch: 3", ParamsError, "unknown key 'train.epoch'"),
        ("hardest: 0.5", "hardest: 0", ParamsError, "train.hardest = 0"),
        ("device: cpu", "device: tpu", ParamsError, "train.device = 'tpu'"),
        (
            "[[16], [16]]",
            "[[16], [16], [16], [16]]",
            ParamsError,
            "images of at least 35 pixels a side, these are 28 x 28; take fewer blocks",
        ),
    ],
)
def test_params_that_cannot_work_are_refused(
    prepared: Path, old: str, new: str, kind: type[DuliError], complaint: str
) -> None:
    assert old in PARAMS
    (prepared / "params.yaml").write_text(PARAMS.replace(old, new))
    with pytest.raises(kind) as caught:
        train.main()
    assert complaint in str(caught.value)
    assert nothing_made(prepared)


def test_damaged_data_are_refused(prepared: Path) -> None:
    images, labels = train._read("validation", KIND, TARGETS)
    flat, wrong = images.flatten(1).numpy(), labels.numpy().copy()
    wrong[7] = 10
    write("validation", flat, wrong)
    with pytest.raises(DataError, match="row 7 of the validation split has label 10"):
        train.main()
    assert Recorder.runs[-1].failed
    write("validation", flat[:0], wrong[:0])
    with pytest.raises(DataError, match="the validation split has 0 targets"):
        train.main()
    Path("data/prepared/validation.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(DataError, match=r"validation\.parquet"):
        train.main()
    Path("data/prepared/validation.parquet").unlink()
    with pytest.raises(DataError, match=r"validation\.parquet"):
        train.main()
    assert nothing_made(prepared)


def test_a_lost_network_leaves_nothing_and_fails_its_run(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(images: torch.Tensor, *_: object) -> torch.Tensor:
        return images * float("nan")

    monkeypatch.setattr("duli.kinds.image.learning.inputs.changed", lost)
    with pytest.raises(GateError, match=r"the loss is nan at step 1 of 64"):
        train.main()
    assert Recorder.runs[-1].failed
    assert nothing_made(prepared)


def test_the_global_generator_is_left_alone(prepared: Path) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    train.main()
    assert torch.equal(before, torch.random.get_rng_state())


class Stopped(BaseException):
    """Stands for the end of the process in the middle of the training."""


def outputs(line: Path) -> dict[str, str]:
    return {
        name: files.sha256(line / name)
        for name in (
            "models/model.safetensors",
            "models/history.csv",
            "models/model.json",
            "reports/train.json",
        )
    }


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_bytes(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main()
    whole = outputs(prepared)
    (prepared / "params.yaml").write_text(
        PARAMS.replace("{steps: null, minutes: 1}", "{steps: 10, minutes: null}")
    )
    train.main()
    model = files.read_json("models/model.json")
    # it names the cadence; all else is the same
    whole["models/model.json"] = files.sha256(prepared / "models/model.json")
    assert outputs(prepared) == whole
    assert not list((prepared / ".checkpoints").glob("*"))
    for name in whole:
        (prepared / name).unlink()

    def stops(self: Recorder, step: int, metrics: dict[str, float]) -> None:
        if step >= 40:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "log", stops)
        with pytest.raises(Stopped):
            train.main()
    assert nothing_made_of(prepared, whole)
    (kept,) = (prepared / ".checkpoints").glob("*.safetensors")
    content = kept.read_bytes()
    capsys.readouterr()
    train.main()
    assert "goes on after step 30 (epoch 1), from .checkpoints/" in capsys.readouterr().out
    assert outputs(prepared) == whole
    assert Recorder.runs[-1].tags["resumed_at_step"] == "30"
    assert not kept.exists()
    assert files.read_json("models/model.json") == model

    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    train.main()
    assert (
        "the checkpoint is damaged (its bytes do not have their digest); starting anew"
        in capsys.readouterr().err
    )
    assert outputs(prepared) == whole

    kept.write_bytes(content)
    (prepared / "params.yaml").write_text(PARAMS.replace("seed: 0", "seed: 1"))
    train.main()
    assert "goes on" not in capsys.readouterr().out  # another recipe
    assert kept.exists()


TRANSFER = "transfer: {init_from: null, sha256: null, frozen: 0, unfreeze: 0.0, layer_decay: 1.0}"


def starting_from(place: str, sha256: str | None, frozen: int = 0) -> None:
    pin = f'"{sha256}"' if sha256 else "null"
    section = (
        f"transfer: {{init_from: {place}, sha256: {pin}, frozen: {frozen}, unfreeze: 0.0,"
        " layer_decay: 1.0}"
    )
    Path("params.yaml").write_text(PARAMS.replace(TRANSFER, section))


def test_it_starts_from_another_line_and_says_what_it_took(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main()
    weights = Path("models/model.safetensors").read_bytes()
    digest = files.sha256(weights)
    other = prepared / "other"
    files.write_bytes(other / "models/model.safetensors", weights)
    files.write_json(other / "models/model.json", files.read_json("models/model.json"))

    starting_from("other", None)
    with pytest.raises(ParamsError, match=f'add `sha256: "{digest}"` below it'):
        train.main()
    starting_from("other", "0" * 64)
    with pytest.raises(
        DataError, match=rf"other now has SHA-256 {digest}, train.transfer.sha256 pins 00000000"
    ):
        train.main()

    starting_from("other", digest, frozen=1)
    capsys.readouterr()
    train.main()
    assert "starts from other: 20 tensors, new: none" in capsys.readouterr().out
    before, after = load(weights), load(Path("models/model.safetensors").read_bytes())
    assert torch.equal(before["0.weight"], after["0.weight"])
    head = next(name for name in before if before[name].dim() == 2)
    assert not torch.equal(before[head], after[head])
    assert files.read_json("models/model.json")["transfer"]["new"] == []

    # As many classes, but others: the head is of no use.
    files.write_json(
        other / "models/model.json",
        {**files.read_json("models/model.json"), "classes": [*"abcdefghij"]},
    )
    train.main()
    assert re.search(
        r"starts from other: 18 tensors, new: \d+\.weight, \d+\.bias", capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, r"there is no weights\.safetensors; name a safetensors file"),
        (b"no tensors", r"weights\.safetensors is no safetensors file"),
    ],
)
def test_what_are_no_weights_is_told(prepared: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        Path("weights.safetensors").write_bytes(content)
    starting_from("weights.safetensors", files.sha256(content or b""))
    with pytest.raises(DataError, match=complaint):
        train.main()
    assert nothing_made(prepared)


def nothing_made_of(line: Path, names: dict[str, str]) -> bool:
    return not any((line / name).exists() for name in names)


def stage(line: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The stage as `dvc repro` starts it, with two processes."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PET_NPROC_PER_NODE": "2",
        "DVC_ROOT": str(line),
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "stages", "train"],
        cwd=line,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_two_processes_write_once_and_a_failure_is_one_clear_line(
    prepared: Path,
    mnist_folder: Path,
    fresh: Callable[[Path], Store],  # noqa: F811
) -> None:
    fresh(prepared)
    make_line(prepared, mnist_folder, train__epochs=1, train__precision="float32")
    done = stage(prepared)
    assert done.returncode == 0, done.stderr
    assert sum("parameters" in row for row in done.stdout.splitlines()) == 1
    assert ", 2 processes" in done.stdout
    assert files.read_json("reports/resources/train.json")["processes"] == 2
    assert [path.name for path in (prepared / "reports/resources").iterdir()] == ["train.json"]
    assert sorted(path.name for path in (prepared / "models").iterdir()) == [
        "history.csv",
        "model.json",
        "model.safetensors",
    ]
    assert "processes" not in files.read_json("models/model.json")

    make_line(prepared, mnist_folder, train__epochs=1, train__precision="float32", train__batch=1)
    done = stage(prepared)
    assert done.returncode == 2
    assert (
        "train: error: 2 processes for a batch of 1 examples; raise train.batch, or start fewer"
        in done.stderr
    )
    assert done.stderr.splitlines()[-1].startswith("train: error: the process of rank ")
    assert "Traceback" not in done.stderr
