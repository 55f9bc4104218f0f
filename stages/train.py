"""Trains the network on the train split and saves it with everything needed to explain it."""

import contextlib
import csv
import importlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from duli.base import files, kinds, machine, rooms
from duli.base.errors import DataError, GateError, ParamsError
from duli.base.params import Params
from duli.base.tasks import Targets
from duli.models.shared.new import new
from duli.models.shared.params import ModelChoice
from duli.preparation.prepared.parquet import examples
from duli.tracking.client import flat
from duli.tracking.client.live import LiveRun
from duli.tracking.client.store import locate
from duli.tracking.client.weights import of_version
from duli.training import checkpoint, distributed, transfer
from duli.training import device as devices
from duli.training.distributed import World
from duli.training.feed import Examples
from duli.training.loop import Point, fit
from duli.training.params import CADENCE, Training, Transfer

PREPARED = Path("data/prepared")
MODELS = Path("models")
CHECKPOINTS = Path(".checkpoints")
PRETRAINED = ".pretrained.safetensors"


def main() -> dict[str, object]:
    if distributed.wanted(os.environ):
        distributed.launch("stages", "train")
        sys.exit()  # rank 0 has written all files
    params = Params("params.yaml")
    learning = rooms.task(params.values["task"], "learning.learn")
    choice, settings = params.section("model", ModelChoice), params.section("train", Training)
    stats, verdict = (
        files.read_json(PREPARED / "stats.json"),
        files.read_json("reports/validation.json"),
    )
    digests = {name: split["digest"] for name, split in stats["splits"].items()}
    # Phrased so that anything but a plain `true` for exactly these examples stops the line.
    if verdict.get("success") is not True or verdict.get("digests") != digests:
        raise GateError(
            "reports/validation.json does not say that this data is valid; see"
            " reports/validation.html, then `dvc repro`"
        )

    world, local_rank = distributed.join(os.environ)
    prepared = files.read_json(PREPARED / "preprocessing.json")
    inputs = rooms.kind(prepared["kind"], "learning.inputs")
    torch.set_num_threads(settings.threads)
    kind = kinds.prepared(prepared)
    targets = rooms.task(params.values["task"], "targets.targets").Targets.prepared(stats)
    train, validation = (_read(split, kind, targets) for split in ("train", "validation"))
    task = learning.Learning(stats)
    device = devices.choose(settings.device, local_rank)
    precision = devices.precision(settings.precision, device)
    model = new(choice, settings.seed, **prepared["input"], outputs=task.outputs)
    loaded = _transferred(model, settings.transfer, task.facts)
    description = {
        **_network(choice, stats, prepared, task),
        "train": settings.model_dump(mode="json"),
        "transfer": loaded._asdict() if loaded else None,
        "precision": str(precision).removeprefix("torch."),
        "device": device.type,
        "deterministic": devices.repeatable(device, settings.deterministic),
        "versions": machine.versions("torch", "safetensors", "numpy"),
    }
    parameters = sum(weight.numel() for weight in model.parameters())
    distributed.connect(world, device)
    rooms_of_code = (Path(str(module.__file__)).parent for module in (checkpoint, inputs, learning))
    key = _key(description, [path for room in rooms_of_code for path in room.glob("*.py")])
    kept = CHECKPOINTS / f"{key}.safetensors"
    resume = _resumed(kept, world)
    if resume is None:
        _pretrained(model, train, prepared["kind"], kept, settings, device, precision, world)
    if world.writes:
        where = f"{device.type} in {description['precision']}" + (
            f", {world.size} processes" if world.size > 1 else ""
        )
        print(
            f"{choice.name} with {parameters:,} parameters, {len(train.targets):,} examples, on"
            f" {where}"
        )
        if loaded:
            print(
                f"starts from {settings.transfer.init_from}: {len(loaded.loaded)} tensors, new:"
                f" {', '.join(loaded.new) or 'none'}"
            )
        if resume:
            print(
                f"goes on after step {resume.values['step']:,} (epoch {resume.values['epoch']}),"
                f" from {kept}"
            )

    with contextlib.ExitStack() as stack:
        live = (
            stack.enter_context(_live_run(_experiment(stats), description, world, resume))
            if world.writes
            else None
        )
        result = fit(
            model,
            train,
            validation,
            settings,
            task=task,
            augment=inputs.augmenting(settings.augmentation),
            lengths=inputs.lengths(train.inputs),
            preprocessing=inputs.Preprocessing(**prepared["normalisation"]),
            device=device,
            precision=precision,
            on_metrics=live.log if live else lambda step, metrics: None,
            world=world,
            on_checkpoint=lambda content: files.write_bytes(kept, content),
            resume=resume,
        )
    tensors = checkpoint.weights(model)
    distributed.disconnect()
    if live is None:
        sys.exit()

    content, end = save({name: value.contiguous() for name, value in tensors.items()}), result.kept
    n = len(validation.targets)
    score = task.report(end.validation_sums, n)
    files.write_bytes(MODELS / "model.safetensors", content)
    described = {
        "file": "model.safetensors",
        "sha256": files.sha256(content),
        "parameters": parameters,
    }
    files.write_json(MODELS / "model.json", {**description, "weights": described})
    files.write_text(MODELS / "history.csv", _csv(result.history, task, n))
    files.write_json(
        "reports/train.json",
        {
            "parameters": parameters,
            "epochs": end.epoch,
            "steps": end.step,
            "train_loss": end.train_loss,
            "validation_loss": end.validation_loss,
            **score,
        },
    )
    for path in (kept, kept.with_suffix(PRETRAINED)):
        path.unlink(missing_ok=True)
    for name, found in score.items():
        print(
            f"{name.replace('_', ' ')} {found['value']:.4f} ({found['low']:.4f} to"
            f" {found['high']:.4f}, n = {found['n']:,})"
        )
    return {"device": device.type, "processes": world.size, "mlflow_run_id": live.close()}


def _pretrained(
    model: nn.Module,
    train: Examples,
    kind: str,
    kept: Path,
    settings: Training,
    device: torch.device,
    precision: torch.dtype,
    world: World,
) -> None:
    """Pretrains the network on the examples without their targets if `train.pretraining` asks for
    it; the pretrained weights survive a crash.

    Every process does the same work: it is short, and all have to start from the same weights.
    Raises `ParamsError` if the kind or the network does not support pretraining.
    """
    if settings.pretraining is None:
        return
    kept = kept.with_suffix(PRETRAINED)
    content = world.from_first(kept.read_bytes() if world.writes and kept.is_file() else None)
    if content is not None:
        model.load_state_dict(load(content))
        return
    message = rooms.kind(kind, "learning.pretrain").pretrained(
        model, train.inputs, settings.pretraining, settings.seed, device, precision
    )
    if world.writes:
        print(f"pretraining: {message}")
        files.write_bytes(
            kept,
            save({name: value.cpu().contiguous() for name, value in model.state_dict().items()}),
        )


def _read(split: str, kind: kinds.Kind, targets: Targets) -> Examples:
    columns = examples(PREPARED / f"{split}.parquet", kind, targets)
    return Examples(*map(torch.from_numpy, columns))


def _network(
    choice: ModelChoice, stats: dict[str, Any], prepared: dict[str, Any], task: Any
) -> dict[str, Any]:
    """The part of model.json that does not depend on the training."""
    architecture = importlib.import_module(f"duli.models.{choice.name}")
    return {
        "architecture": {
            "name": choice.name,
            "settings": choice.settings.model_dump(mode="json"),
            "source_sha256": files.sha256(str(architecture.__file__)),
        },
        "kind": prepared["kind"],
        "input": prepared["input"],
        "outputs": task.outputs,
        **task.facts,
        "normalisation": prepared["normalisation"],
        "data": {
            "dataset": stats["dataset"],
            "train_digest": stats["splits"]["train"]["digest"],
            "validation_digest": stats["splits"]["validation"]["digest"],
        },
    }


def _transferred(
    model: nn.Module, settings: Transfer, facts: dict[str, Any]
) -> transfer.Loaded | None:
    """Loads the weights of `train.transfer` into the network; raises `DataError` unless their
    digest matches.
    """
    if settings.init_from is None:
        return None
    content, theirs = _initial(settings.init_from)
    digest = files.sha256(content)
    if settings.sha256 is None:
        raise ParamsError(
            "params.yaml: train.transfer.init_from needs the digest of its weights; add `sha256:"
            f' "{digest}"` below it'
        )
    if digest != settings.sha256:
        raise DataError(
            f"{settings.init_from} now has SHA-256 {digest}, train.transfer.sha256 pins"
            f" {settings.sha256[:8]}...; write the new one there if these are the weights you want"
        )
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise DataError(f"{settings.init_from} is no safetensors file ({error})") from None
    same = None if theirs is None else all(theirs.get(key) == value for key, value in facts.items())
    return transfer.load(model, tensors, same_outputs=same)


def _initial(init_from: str) -> tuple[bytes, dict[str, Any] | None]:
    """The weights at `train.transfer.init_from`, and the model.json beside them.

    Accepts a version in MLflow's registry, a release line's folder, or a safetensors file (which
    has no model.json).
    """
    if init_from.startswith("models:/"):
        return of_version(locate(os.environ, Path.cwd()), init_from)
    path = Path(init_from)
    alone = path.suffix == ".safetensors"
    weights = path if alone else path / MODELS / "model.safetensors"
    if not weights.is_file():
        raise DataError(
            f"train.transfer.init_from: there is no {weights}; name a safetensors file, or the"
            " folder of a line that has run"
        )
    beside = None if alone else files.read_json(weights.with_name("model.json"))
    return weights.read_bytes(), beside


def _key(description: dict[str, Any], code: list[Path]) -> str:
    """A key of everything that decides the result of the training: a checkpoint is resumed only
    under the same key.
    """
    recipe = {
        **description,
        "train": {
            name: value for name, value in description["train"].items() if name not in CADENCE
        },
    }
    digests = sorted(files.sha256(path) for path in code)
    return files.sha256(json.dumps([recipe, digests], sort_keys=True).encode())[:16]


def _resumed(kept: Path, world: World) -> checkpoint.State | None:
    """The state that an interrupted run left; a damaged one is deleted with a message."""
    content = world.from_first(kept.read_bytes() if world.writes and kept.is_file() else None)
    if content is None:
        return None
    try:
        return checkpoint.unpack(content)
    except DataError as error:
        if world.writes:
            print(f"{kept}: {error}; starting anew", file=sys.stderr)
            kept.unlink()
        return None


def _experiment(stats: dict[str, Any]) -> str:
    """The MLflow experiment of all trainings on the same data, whichever line runs them; the
    dataset `own` differs by line, so its title names it.
    """
    data = (
        stats["title"].lower().replace(" ", "-") if stats["dataset"] == "own" else stats["dataset"]
    )
    return f"{data}-training"


def _live_run(
    experiment: str, description: dict[str, Any], world: World, resume: checkpoint.State | None
) -> LiveRun:
    network, data = description["architecture"], description["data"]
    return LiveRun(
        locate(os.environ, Path.cwd()),
        experiment=experiment,
        name=network["name"],
        params=flat.params(
            {
                "model": {"name": network["name"], "settings": network["settings"]},
                "train": description["train"],
            }
        ),
        tags={
            "device": description["device"],
            "precision": description["precision"],
            "train_digest": data["train_digest"],
            "processes": str(world.size),
            **({"resumed_at_step": str(resume.values["step"])} if resume else {}),
        },
    )


def _csv(history: list[Point], task: Any, n: int) -> str:
    rows = [
        {
            "step": point.step,
            "epoch": point.epoch,
            "train_loss": point.train_loss,
            "learning_rate": point.learning_rate,
            "validation_loss": point.validation_loss,
            **task.scores(point.validation_sums, n),
        }
        for point in history
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
