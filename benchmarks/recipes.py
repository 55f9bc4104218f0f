"""Runs training recipes: the one of a line's params.yaml with some settings changed, on the line's
prepared examples.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from duli.base import files, kinds, rooms
from duli.base.params import Params
from duli.kinds.text.learning.pretrain import pretrained
from duli.models.shared.params import ModelChoice
from duli.preparation.prepared.parquet import examples
from duli.tasks.classification.learning.learn import Learning
from duli.tasks.classification.targets.targets import Targets
from duli.training import device as devices
from duli.training import transfer
from duli.training.feed import Examples
from duli.training.loop import Augment, Point, Preprocessing, evaluate, fit
from duli.training.params import Training

ROOT = Path(__file__).resolve().parents[1]
Settings = Mapping[str, Any]  # dotted keys of params.yaml, as `dvc exp run -S` takes them

# Chosen on the validation split; the README and docs/training.md give them as commands.
QUICK: Settings = {
    "model.fastconv.stem": 12,
    "model.fastconv.blocks": [[16], [32]],
    "train.epochs": 2,
    "train.hardest": 0.15,
    "train.learning_rate": 0.012,
    "train.evaluations": 1,
    "train.augmentation": {},
}

FULL: Settings = {
    "model.fastconv.blocks": [[64, 64], [128, 128]],
    "model.fastconv.dropout": 0.3,
    "train.epochs": 44,
    "train.learning_rate": 0.008,
    "train.ema": 0.998,
}


class Data(NamedTuple):
    """The three splits of a release line's data set, what of it the network has to know, and the
    line whose recipe is changed.
    """

    train: Examples
    validation: Examples
    test: Examples
    preprocessing: Preprocessing
    augmenting: Callable[[Mapping[str, float]], Augment | None]
    lengths: Tensor | None
    shape: dict[str, int]
    task: Any
    line: Path  # its folder

    def fitting(self, training: Training) -> dict[str, Any]:
        """What `duli.training.loop.fit` has to know of them."""
        return {
            "task": self.task,
            "preprocessing": self.preprocessing,
            "augment": self.augmenting(training.augmentation),
            "lengths": self.lengths,
        }


class Run(NamedTuple):
    """One training."""

    model: nn.Module
    history: list[Point]
    cpu_s: float  # of pretraining and `fit`, its evaluations on the validation split included
    wall_s: float
    validation: float  # accuracy, and loss in nats
    validation_loss: float
    test: float  # accuracy


def load(line: Path = ROOT) -> Data:
    """The prepared splits of the release line in that folder; ends the program where there are
    none.
    """
    prepared = line / "data/prepared"
    if not (prepared / "stats.json").exists():
        sys.exit(f"{prepared} holds no prepared examples; run `dvc repro validate` in {line} first")
    stats, described = (
        files.read_json(prepared / name) for name in ("stats.json", "preprocessing.json")
    )
    splits = []
    for split in ("train", "validation", "test"):
        inputs, labels = examples(
            prepared / f"{split}.parquet", kinds.prepared(described), Targets.prepared(stats)
        )
        splits.append(Examples(torch.from_numpy(inputs), torch.from_numpy(labels)))
    inputs = rooms.kind(described["kind"], "learning.inputs")
    return Data(
        *splits,
        inputs.Preprocessing(**described["normalisation"]),
        inputs.augmenting,
        inputs.lengths(splits[0].inputs),
        stats["input"],
        Learning(stats),
        line,
    )


def changed(settings: Settings, line: Path = ROOT) -> tuple[ModelChoice, Training]:
    """The sections `model` and `train` of the line's params.yaml with `settings` in them."""
    params = Params(line / "params.yaml")
    for key, value in settings.items():
        *path, last = key.split(".")
        section = params.values
        for name in path:
            section = section.setdefault(name, {})
        section[last] = json.loads(json.dumps(value))
    return params.section("model", ModelChoice), params.section("train", Training)


def build(data: Data, settings: Settings) -> tuple[nn.Module, Training]:
    """A new network and its recipe."""
    choice, training = changed(settings, data.line)
    torch.set_num_threads(training.threads)
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        architecture = importlib.import_module(f"duli.models.{choice.name}")
        return architecture.build(
            choice.settings, **data.shape, outputs=data.task.outputs
        ), training


def run(
    data: Data,
    settings: Settings,
    initial: dict[str, Tensor] | None = None,
    teacher: nn.Module | None = None,
) -> Run:
    """One training on the train split, from `initial` weights of other classes or new ones; the
    test split is looked at afterwards.

    A `teacher` is learned from too, as in `duli.training.loop.fit`.
    """
    model, training = build(data, settings)
    if initial is not None:
        transfer.load(model, initial, same_outputs=False)
    device = devices.choose(training.device)
    precision = devices.precision(training.precision, device)
    cpu, wall = time.process_time(), time.perf_counter()
    if training.pretraining is not None:
        pretrained(model, data.train.inputs, training.pretraining, training.seed, device, precision)
    result = fit(
        model,
        data.train,
        data.validation,
        training,
        **data.fitting(training),
        device=device,
        precision=precision,
        on_metrics=lambda step, metrics: None,
        teacher=teacher,
    )
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    _, correct = evaluate(model, data.test, data.task, data.preprocessing)
    kept = result.kept
    validation = kept.validation_sums[1] / len(data.validation.targets)
    return Run(
        model,
        result.history,
        cpu,
        wall,
        validation,
        kept.validation_loss,
        correct / len(data.test.targets),
    )
