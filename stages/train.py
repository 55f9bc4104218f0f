"""Trains the network on the train split and keeps it with everything needed to explain it."""

import csv
import importlib
import io
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from duli import files, machine
from duli.errors import GateError
from duli.intervals import proportion
from duli.models._params import ModelChoice
from duli.params import Params
from duli.preparation.parquet import examples
from duli.tracking.live import LiveRun
from duli.tracking.store import locate
from duli.training import device as devices
from duli.training.loop import Examples, Normalisation, Point, fit
from duli.training.params import Training

PREPARED = Path("data/prepared")
MODELS = Path("models")


def main() -> dict[str, object]:
    params = Params("params.yaml")
    choice, settings = params.section("model", ModelChoice), params.section("train", Training)
    # Asked this way round, so that anything but a plain `true` holds the line.
    if files.read_json("reports/validation.json").get("success") is not True:
        raise GateError("reports/validation.json does not say that the data is valid; see reports/validation.html, then `dvc repro`")

    stats = files.read_json(PREPARED / "stats.json")
    image = {key: stats[key] for key in ("channels", "height", "width")}
    torch.set_num_threads(settings.threads)
    train, validation = _read("train", image), _read("validation", image)
    normalisation = Normalisation(stats["mean"], stats["std"])
    device = devices.choose(settings.device)
    precision = devices.precision(settings.precision, device)
    architecture = importlib.import_module(f"duli.models.{choice.name}")
    model = _initialised(architecture, choice, settings.seed, **image, classes=len(stats["classes"]))
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"{choice.name} with {parameters:,} parameters, {len(train.labels):,} examples, on {device.type} in {_name(precision)}")

    live = LiveRun(
        locate(os.environ, Path.cwd()),
        experiment=f"{stats['dataset']}-training",
        name=choice.name,
        params=_flat({"model": choice.model_dump(mode="json"), "train": settings.model_dump(mode="json")}),
        tags={"device": device.type, "precision": _name(precision), "train_digest": stats["splits"]["train"]["digest"]},
    )
    with live:
        history = fit(
            model,
            train,
            validation,
            settings,
            classes=len(stats["classes"]),
            normalisation=normalisation,
            device=device,
            precision=precision,
            on_metrics=live.log,
        )

    weights = save({name: value.cpu().contiguous() for name, value in model.state_dict().items()})
    end = history[-1]
    accuracy = proportion(end.validation_correct, len(validation.labels))
    files.write_bytes(MODELS / "model.safetensors", weights)
    files.write_json(
        MODELS / "model.json",
        {
            "architecture": {
                "name": choice.name,
                "settings": choice.settings.model_dump(mode="json"),
                "source_sha256": files.sha256(str(architecture.__file__)),
            },
            "input": image,
            "classes": stats["classes"],
            "normalisation": normalisation._asdict(),
            "weights": {"file": "model.safetensors", "sha256": files.sha256(weights), "parameters": parameters},
            "data": {
                "dataset": stats["dataset"],
                "train_digest": stats["splits"]["train"]["digest"],
                "validation_digest": stats["splits"]["validation"]["digest"],
            },
            "train": settings.model_dump(mode="json"),
            "precision": _name(precision),
            "device": device.type,
            "versions": machine.versions("torch", "safetensors", "numpy"),
        },
    )
    files.write_text(MODELS / "history.csv", _csv(history, len(validation.labels)))
    files.write_json(
        "reports/train.json",
        {
            "parameters": parameters,
            "epochs": end.epoch,
            "steps": end.step,
            "train_loss": end.train_loss,
            "validation_loss": end.validation_loss,
            "validation_accuracy": accuracy,
        },
    )
    print(f"validation accuracy {accuracy['value']:.2%} ({accuracy['low']:.2%} to {accuracy['high']:.2%}, n = {accuracy['n']:,})")
    return {"device": device.type, "mlflow_run_id": live.close()}


def _read(split: str, image: dict[str, int]) -> Examples:
    images, labels = examples(PREPARED / f"{split}.parquet", (image["channels"], image["height"], image["width"]))
    return Examples(torch.from_numpy(images), torch.from_numpy(labels))


def _initialised(architecture: Any, choice: ModelChoice, seed: int, **sizes: int) -> nn.Module:
    """A new network; torch initialises from its global generator, which is left as it was found."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: nn.Module = architecture.build(choice.settings, **sizes)
        return model


def _csv(history: list[Point], n: int) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "epoch", "train_loss", "learning_rate", "validation_loss", "validation_accuracy"])
    writer.writerows((*point[:-1], point.validation_correct / n) for point in history)
    return text.getvalue()


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values as MLflow's params: dotted names, and text."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return flat


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")
