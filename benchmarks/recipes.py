"""Runs training recipes: the one of a line's params.yaml with some settings changed, on the line's
prepared examples.
"""

import importlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from duli import files
from duli.models._inputs import preprocessing
from duli.models._params import ModelChoice
from duli.params import Params
from duli.preparation import kinds, tokenizer
from duli.preparation.parquet import examples
from duli.training import device as devices
from duli.training import transfer
from duli.training.feed import Examples
from duli.training.loop import Point, Preprocessing, evaluate, fit
from duli.training.params import Training
from duli.training.pretrain import pretrain

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
    shape: dict[str, int]
    classes: int
    line: Path  # its folder


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
        inputs, labels = examples(prepared / f"{split}.parquet", kinds.prepared(described))
        splits.append(Examples(torch.from_numpy(inputs), torch.from_numpy(labels)))
    return Data(*splits, preprocessing(described), stats["input"], len(stats["classes"]), line)


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
        return architecture.build(choice.settings, **data.shape, classes=data.classes), training


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
        transfer.load(model, initial, same_classes=False)
    device = devices.choose(training.device)
    precision = devices.precision(training.precision, device)
    cpu, wall = time.process_time(), time.perf_counter()
    if training.pretraining is not None:
        hidden = {"mask": tokenizer.MASK, "special": len(tokenizer.SPECIAL)}
        pretrain(
            model,
            data.train.inputs,
            training.pretraining,
            **hidden,
            seed=training.seed,
            device=device,
            precision=precision,
        )
    result = fit(
        model,
        data.train,
        data.validation,
        training,
        classes=data.classes,
        preprocessing=data.preprocessing,
        device=device,
        precision=precision,
        on_metrics=lambda step, metrics: None,
        teacher=teacher,
    )
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    _, correct = evaluate(model, data.test, data.preprocessing)
    kept = result.kept
    validation = kept.validation_correct / len(data.validation.labels)
    return Run(
        model,
        result.history,
        cpu,
        wall,
        validation,
        kept.validation_loss,
        correct / len(data.test.labels),
    )
