"""Measures transfer learning: a network pretrained on Fashion-MNIST and fine-tuned on few digits,
against training from scratch.

    make bench-transfer    about 10 minutes on two cores; writes benchmarks/results/transfer.json,
    docs/transfer.md and its plot

Needs the prepared examples of both lines (`dvc repro validate`, here and in pipelines/fashion).
"""

import statistics
from typing import Any, NamedTuple

import torch
import vl_convert
from torch import Tensor

from benchmarks.recipes import ROOT, Data, Settings, load, run
from benchmarks.record import result, write
from duli.base import files
from duli.training import checkpoint
from duli.training.feed import Examples

SEEDS = 5
# Digits to learn from, and the lengths of the training: epochs for so many digits.
SIZES: dict[int, Settings] = {
    100: {"train.batch": 20},
    1_000: {"train.batch": 50},
    10_000: {"train.batch": 128},
}
LENGTHS = {"short": {100: 5, 1_000: 2, 10_000: 1}, "long": {100: 60, 1_000: 30, 10_000: 8}}
COMMON: Settings = {"train.hardest": 1.0, "train.evaluations": 1}
PRETRAINING: Settings = {"train.epochs": 3, **COMMON}
BEGINNINGS: dict[str, Settings] = {
    "from scratch": {},
    "fine-tuned": {},
    "fine-tuned, rates by layer": {"train.transfer.layer_decay": 0.8},
}
SCRATCH = "from scratch"


class Measured(NamedTuple):
    """The trainings of one beginning on one number of digits."""

    digits: int
    length: str
    beginning: str
    accuracies: list[float]  # on the test split
    cpu_s: list[float]


def main() -> None:
    digits = load()
    # the garments, by the digits' recipe
    clothes = load(ROOT / "pipelines/fashion")._replace(line=ROOT)
    pretraining = run(clothes, PRETRAINING)
    print(
        f"pretrained on Fashion-MNIST: {pretraining.test:.2%} in {pretraining.cpu_s:.0f} CPU-s",
        flush=True,
    )
    weights = checkpoint.weights(pretraining.model)
    measured = [
        _measure(digits, size, length, name, weights)
        for length in LENGTHS
        for size in SIZES
        for name in BEGINNINGS
    ]
    gains = [_gain(measured, size, length) for length in LENGTHS for size in SIZES]
    facts = result("pretraining_accuracy", [pretraining.test], "share", cpu_s=pretraining.cpu_s)
    write(
        "transfer",
        [facts, *gains, *(one for row in measured for one in _results(row))],
        "torch",
        "numpy",
    )
    files.write_text(ROOT / "docs/transfer.svg", _plot(measured))
    files.write_text(
        ROOT / "docs/transfer.md", _page(measured, pretraining.test, pretraining.cpu_s)
    )


def _measure(
    digits: Data, size: int, length: str, beginning: str, weights: dict[str, Tensor]
) -> Measured:
    runs = []
    for seed in range(SEEDS):
        # Other digits for each seed, the same for all beginnings.
        rows = torch.randperm(
            len(digits.train.targets), generator=torch.Generator().manual_seed(seed)
        )[:size]
        few = digits._replace(train=Examples(*(column[rows] for column in digits.train)))
        settings = {
            **COMMON,
            **SIZES[size],
            "train.epochs": LENGTHS[length][size],
            **BEGINNINGS[beginning],
            "train.seed": seed,
        }
        runs.append(run(few, settings, None if beginning == SCRATCH else weights))
    one = Measured(size, length, beginning, [one.test for one in runs], [one.cpu_s for one in runs])
    print(f"{size} digits, {length}, {beginning}: {_told(one)}", flush=True)
    return one


def _results(row: Measured) -> list[dict[str, Any]]:
    name = f"{row.digits} digits, {row.length}, {row.beginning}"
    mean = statistics.mean(row.accuracies)
    return [
        result(f"{name}, test accuracy", row.accuracies, "share", mean=mean),
        result(f"{name}, CPU", row.cpu_s, "s"),
    ]


def _gain(measured: list[Measured], size: int, length: str) -> dict[str, Any]:
    """Points won by fine-tuning, seed by seed."""
    of = {
        one.beginning: one.accuracies
        for one in measured
        if (one.digits, one.length) == (size, length)
    }
    points = [
        (tuned - scratch) * 100
        for tuned, scratch in zip(of["fine-tuned"], of[SCRATCH], strict=True)
    ]
    return result(f"gain_{size}_{length}", points, "points", mean=statistics.mean(points))


def _told(one: Measured) -> str:
    return f"{statistics.mean(one.accuracies):.2%} ± {statistics.stdev(one.accuracies) * 100:.2f}"


def _page(measured: list[Measured], accuracy: float, cpu_s: float) -> str:
    header = (
        "| Digits | epochs | "
        + " | ".join(BEGINNINGS)
        + " | points won | CPU-s |\n|---"
        + "|---" * (len(BEGINNINGS) + 3)
        + "|\n"
    )
    rows = []
    for length, epochs in LENGTHS.items():
        for size in SIZES:
            of = {
                one.beginning: one for one in measured if (one.digits, one.length) == (size, length)
            }
            won = _gain(measured, size, length)["mean"]
            told = " | ".join(_told(of[name]) for name in BEGINNINGS)
            rows.append(
                f"| {size:,} | {epochs[size]} ({length}) | {told} | {won:+.2f} |"
                f" {statistics.mean(of['fine-tuned'].cpu_s):.1f} |\n"
            )
    return f"""# What transfer learning is worth

A network trained on Fashion-MNIST ({accuracy:.2%} on its test split, {cpu_s:.0f} CPU seconds) and then on few digits, against the same
network trained on these digits alone: accuracy on the 10,000 test digits, mean and standard deviation over {SEEDS} seeds, each with
other digits. In a row only the beginning differs. "Points won" are those of fine-tuning over training from scratch.

{header}{"".join(rows)}
The other network's knowledge counts while there is little time to learn: in a short run. In a long run with augmentation, training from
scratch catches up, for garments have little to tell about digits that the digits themselves do not.

![Wrong on the test split over the number of digits](transfer.svg)

`make bench-transfer` measures this anew. How to do it with your own data: [training.md](training.md).
"""


def _plot(measured: list[Measured]) -> str:
    points = [
        {
            "digits": one.digits,
            "length": one.length,
            "beginning": one.beginning,
            "errors": (1 - accuracy) * 100,
        }
        for one in measured
        for accuracy in one.accuracies
    ]
    axes = {
        "x": {
            "field": "digits",
            "type": "quantitative",
            "scale": {"type": "log"},
            "title": "digits to learn from",
            "axis": {"values": [*SIZES]},
        },
        "color": {"field": "beginning", "type": "nominal", "sort": [*BEGINNINGS], "title": None},
    }
    errors = {
        "field": "errors",
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": "wrong on the test split, %",
    }
    mean = {"mark": {"type": "line"}, "encoding": {**axes, "y": {**errors, "aggregate": "mean"}}}
    each = {
        "mark": {"type": "point", "filled": True, "size": 30, "opacity": 0.6},
        "encoding": {**axes, "y": errors},
    }
    panel = {"width": 300, "height": 260, "layer": [mean, each]}
    columns = {"field": "length", "sort": [*LENGTHS], "title": None}
    chart = {
        "data": {"values": points},
        "background": "white",
        "facet": {"column": columns},
        "spec": panel,
    }
    return str(vl_convert.vegalite_to_svg(chart, vl_version="6.4"))


if __name__ == "__main__":
    main()
