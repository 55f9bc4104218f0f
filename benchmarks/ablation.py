"""Changes the default recipe in one place at a time and measures what that does; writes
docs/ablation.md.

make bench-ablation    about 25 minutes on two cores; also benchmarks/results/ablation.json
"""

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

from benchmarks.recipes import ROOT, Settings, load, run
from benchmarks.record import RESULTS, result, write
from duli.base import files, machine

SEEDS = 3
WORKERS = 2  # trainings at a time, one thread each
NET = "model.fastconv."
SGD = {"train.optimizer": "sgd", "train.learning_rate": 0.1, "train.weight_decay": 5e-4}
BASE = "the recipe of params.yaml"


class Variant(NamedTuple):
    """One change of the recipe."""

    topic: str
    name: str
    settings: Settings


VARIANTS = (
    Variant("", BASE, {}),
    Variant("Normalisation", "no batch normalisation", {NET + "normalisation": "none"}),
    Variant("Initialisation", "He", {NET + "initialisation": "he"}),
    Variant("Initialisation", "Xavier", {NET + "initialisation": "xavier"}),
    Variant("Activation", "GELU", {NET + "activation": "gelu"}),
    Variant("Activation", "sigmoid", {NET + "activation": "sigmoid"}),
    Variant("Schedule", "cosine with warm-up", {"train.schedule": "cosine"}),
    Variant("Schedule", "step", {"train.schedule": "step"}),
    Variant("Schedule", "plateau", {"train.schedule": "plateau"}),
    Variant("Schedule", "constant", {"train.schedule": "constant"}),
    Variant("Optimizer", "Adam", {"train.optimizer": "adam", "train.weight_decay": 0.0}),
    Variant(
        "Optimizer",
        "SGD with Nesterov, learning rate 0.1",
        {"train.optimizer": "sgd", "train.learning_rate": 0.1, "train.weight_decay": 5e-4},
    ),
    Variant("Optimizer", "Muon", {"train.optimizer": "muon"}),
    Variant("Loss", "mean squared error", {"train.loss": "mean_squared_error"}),
    Variant("Regularisation", "no label smoothing", {"train.label_smoothing": 0.0}),
    Variant("Regularisation", "no weight decay", {"train.weight_decay": 0.0}),
    Variant("Regularisation", "dropout 0.2", {NET + "dropout": 0.2}),
    Variant("Regularisation", "early stopping after 2 evaluations", {"train.early_stopping": 2}),
    Variant("Augmentation", "none", {"train.augmentation": {}}),
    Variant("Augmentation", "shift alone", {"train.augmentation": {"shift": 2.0}}),
    Variant("Augmentation", "rotation alone", {"train.augmentation": {"rotate": 10.0}}),
    Variant("Augmentation", "and elastic, 0.5 pixels", {"train.augmentation.elastic": 0.5}),
    Variant("Averaging", "EMA, decay 0.99", {"train.ema": 0.99}),
    Variant("Gradients", "clipped at norm 1", {"train.clip_norm": 1.0}),
    Variant("Gradients", "accumulated over 4 parts", {"train.micro_batch": 32}),
    Variant(
        "Order",
        "all examples in each of 2 epochs (as many steps)",
        {"train.hardest": 1.0, "train.epochs": 2},
    ),
    Variant("Order", "all examples in each of 4 epochs", {"train.hardest": 1.0}),
    Variant("Precision", "float32", {"train.precision": "float32"}),
    Variant(
        "Network", "tutorial `convnet`", {"model.name": "convnet", "train.learning_rate": 0.002}
    ),
    Variant("Network", "tutorial `mlp` 10-50-10", {"model.name": "mlp"}),
)


class Measured(NamedTuple):
    """One training of one variant."""

    variant: int
    validation: float
    validation_loss: float
    cpu_s: float


def main() -> None:
    jobs = [(number, seed) for seed in range(SEEDS) for number in range(len(VARIANTS))]
    started = time.perf_counter()
    measured = []
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        for one in pool.map(_measure, jobs):
            measured.append(one)
            print(
                f"{len(measured)}/{len(jobs)} {VARIANTS[one.variant].name}: {one.validation:.2%},"
                f" {one.cpu_s:.0f} CPU-s",
                flush=True,
            )
    runs = [[one for one in measured if one.variant == number] for number in range(len(VARIANTS))]
    write(
        "ablation",
        [one for variant, of in zip(VARIANTS, runs, strict=True) for one in _results(variant, of)],
        "torch",
        "numpy",
    )
    files.write_text(ROOT / "docs/ablation.md", _page(runs))
    print(
        f"{time.perf_counter() - started:.0f} s; docs/ablation.md and {RESULTS.name}/ablation.json"
        " are written"
    )


def _measure(job: tuple[int, int]) -> Measured:
    number, seed = job
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    one = run(load(), {**VARIANTS[number].settings, "train.seed": seed})
    return Measured(number, one.validation, one.validation_loss, one.cpu_s)


def _results(variant: Variant, runs: list[Measured]) -> list[dict[str, Any]]:
    name = f"{variant.topic}: {variant.name}".removeprefix(": ")
    return [
        result(
            f"{name}, validation accuracy",
            [one.validation for one in runs],
            "share",
            settings=dict(variant.settings),
        ),
        result(f"{name}, validation loss", [one.validation_loss for one in runs], "nats"),
        result(f"{name}, CPU", [one.cpu_s for one in runs], "s"),
    ]


def _page(runs: list[list[Measured]]) -> str:
    """The table, each row beside the recipe it changes."""
    base = statistics.mean(one.validation for one in runs[0])
    rows = []
    for variant, of in zip(VARIANTS, runs, strict=True):
        mean, deviation = (
            statistics.mean(one.validation for one in of),
            statistics.stdev(one.validation for one in of),
        )
        loss, cpu = (
            statistics.mean(one.validation_loss for one in of),
            statistics.mean(one.cpu_s for one in of),
        )
        points = "" if variant.name == BASE else f"{(mean - base) * 100:+.2f}"
        rows.append(
            f"| {variant.topic} | {variant.name} | {mean:.2%} ± {deviation * 100:.2f} | {points} |"
            f" {loss:.4f} | {cpu:.0f} |"
        )
    hardware = machine.describe()
    return f"""# What each part of the recipe is worth

Each row changes the recipe of `params.yaml` in one place and nothing else; some changes would need another learning rate or more
epochs to show what they can do. Accuracy is on the validation split, mean and standard deviation over {SEEDS} seeds: a difference
of less than 0.1 points is noise. The loss is plain cross-entropy in nats. CPU seconds are of the training alone, {WORKERS} at a time,
one thread each, on {hardware["cpu"]}. `make bench-ablation` makes this page.

| Topic | Change | Validation accuracy | Points | Loss | CPU-s |
|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
