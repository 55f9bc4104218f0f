"""Looks for the smallest int8 file that reads 99.2 % of MNIST's test digits: accuracy per byte,
narrow networks against each other.

    python -m benchmarks.smallest    5 minutes on two cores, a training on each; writes
    docs/smallest.md, its plot and a part of
                                     benchmarks/results/compression.json

Needs the line up to quantize (`dvc repro quantize`): its network is the teacher, its int8 file the
one to compare with. A width is chosen by the answers of its int8 files on the validation split; the
test split is read once, at the end.
"""

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import vl_convert
from scipy.stats import t as student
from torch import nn

from benchmarks.recipes import ROOT, Data, Settings, load, run
from benchmarks.record import Results, result, run_parts
from duli.base import files, machine
from duli.base.params import Params
from duli.compression import export, int8
from duli.compression.params import Quantize
from duli.evaluation.predict import onnx_logits
from duli.models.shared.restore import restore
from duli.tasks.classification.comparing.variants import balanced
from duli.tasks.classification.learning.losses import SOFT, TEMPERATURE
from duli.training.feed import Examples

SEEDS = 3
WORKERS = 2  # trainings at a time, one thread each
TARGET = 0.992  # accuracy of the int8 files on the test split, mean of the seeds
# The same on validation, which chooses; its digits are harder: the default recipe reads 99.43 % of
# them (3 seeds), and 99.56 % of test (5).
ENOUGH = TARGET - 0.001
RECIPE: Settings = {"train.epochs": 16, "train.evaluations": 1}


class Width(NamedTuple):
    """Output channels: of the 5x5 convolution, and of the one 3x3 convolution of each block."""

    stem: int
    blocks: tuple[int, ...]

    def __str__(self) -> str:
        return "-".join(str(wide) for wide in (self.stem, *self.blocks))


class Change(NamedTuple):
    """What is done otherwise than in the recipe."""

    name: str
    settings: Settings
    taught: bool = False


WIDTHS = (
    Width(4, (8, 12)),
    Width(6, (12, 12)),
    Width(6, (12, 16)),
    Width(8, (16, 16)),
    Width(8, (16, 24)),
)
PLAIN, DISTILLED = Change("plain", {}), Change("distilled", {}, taught=True)
VARIANTS = (
    *((width, PLAIN) for width in WIDTHS),
    *((width, DISTILLED) for width in WIDTHS[2:4]),
    (WIDTHS[2], Change("no label smoothing", {"train.label_smoothing": 0.0})),
)


class Trained(NamedTuple):
    """One training: its int8 file, and right answers on the validation split in float32 and int8,
    as shares.
    """

    content: bytes
    parameters: int
    validation_float32: float
    validation: float
    cpu_s: float


class Row(NamedTuple):
    """The trainings of one variant, a value for each seed."""

    width: Width
    change: str
    parameters: int
    kb: list[float]
    validation_float32: list[float]
    validation: list[float]
    test: list[float]
    cpu_s: list[float]

    def chosen(self) -> bool:
        """Whether validation takes it; then test confirms it, or does not."""
        return statistics.mean(self.validation) >= ENOUGH

    def confirmed(self) -> bool:
        return statistics.mean(self.test) >= TARGET


def main() -> None:
    run_parts(
        "compression", {"smallest": smallest}, str(__doc__), "torch", "onnxruntime", "onnx", "numpy"
    )


def smallest() -> Results:
    """kB of the smallest int8 file that validation takes and whose mean accuracy on test is at
    least 99.2 %; and what the others reach.
    """
    started = time.perf_counter()
    jobs = [(number, seed) for number in range(len(VARIANTS)) for seed in range(SEEDS)]
    trained: list[Trained] = []
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        for (number, seed), one in zip(jobs, pool.map(_train, jobs), strict=True):
            trained.append(one)
            width, change = VARIANTS[number]
            told = (
                f"{len(one.content) / 1000:.2f} kB, {one.validation:.2%} on validation,"
                f" {one.cpu_s:.0f} CPU-s"
            )
            print(
                f"{len(trained)}/{len(jobs)} {width} {change.name}, seed {seed}: {told}", flush=True
            )
    test = load().test
    rows = [
        _row(*variant, trained[at * SEEDS : (at + 1) * SEEDS], test)
        for at, variant in enumerate(VARIANTS)
    ]
    # of equal files, the better on validation
    rows.sort(key=lambda row: (statistics.median(row.kb), -statistics.mean(row.validation)))
    chosen = next((row for row in rows if row.chosen() and row.confirmed()), None)
    content = (ROOT / "models/variants/int8.onnx").read_bytes()
    default = {"kb": len(content) / 1000, "test": _right(content, test)}
    seconds = time.perf_counter() - started
    files.write_text(ROOT / "docs/smallest.svg", _plot(rows, default))
    files.write_text(ROOT / "docs/smallest.md", _page(rows, chosen, default, seconds))
    found = [] if chosen is None else [_found(chosen)]
    return [
        *found,
        *(_gain(rows, width) for width in _distilled(rows)),
        *(one for row in rows for one in _results(row)),
    ]


def _train(job: tuple[int, int]) -> Trained:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    number, seed = job
    width, change = VARIANTS[number]
    net = {
        "model.fastconv.stem": width.stem,
        "model.fastconv.blocks": [[wide] for wide in width.blocks],
    }
    data, settings = _data(), {**RECIPE, **net, **change.settings, "train.seed": seed}
    # The validation split in the place of the test split: that one stays unread until all widths
    # are trained.
    one = run(
        data._replace(test=data.validation), settings, teacher=_teacher() if change.taught else None
    )
    quantize = Params(ROOT / "params.yaml").section("quantize", Quantize)
    rows = balanced(data.train.targets.numpy(), quantize.calibration_rows, quantize.seed)
    plain = export.to_onnx(
        one.model, data.preprocessing.exported(), data.train.inputs[:2], data.preprocessing.name
    )
    content = int8.quantize(plain, data.train.inputs.numpy()[rows], quantize.calibration[0])
    parameters = sum(weights.numel() for weights in one.model.parameters())
    return Trained(content, parameters, one.validation, _right(content, data.validation), one.cpu_s)


def _teacher() -> nn.Module:
    """The default line's trained network."""
    description = files.read_json(ROOT / "models/model.json")
    return restore(
        description,
        files.verified(
            ROOT / "models" / description["weights"]["file"], description["weights"]["sha256"]
        ),
    )


@cache
def _data() -> Data:
    return load()


def _right(content: bytes, split: Examples) -> float:
    """Share of right answers of an ONNX file."""
    return float(
        np.mean(onnx_logits(content, split.inputs.numpy()).argmax(axis=1) == split.targets.numpy())
    )


def _row(width: Width, change: Change, of: list[Trained], test: Examples) -> Row:
    return Row(
        width,
        change.name,
        of[0].parameters,
        [len(one.content) / 1000 for one in of],
        [one.validation_float32 for one in of],
        [one.validation for one in of],
        [_right(one.content, test) for one in of],
        [one.cpu_s for one in of],
    )


def _found(row: Row) -> dict[str, Any]:
    test, half = _mean(row.test)
    facts = {"width": str(row.width), "change": row.change, "parameters": row.parameters}
    return result(
        "smallest_99_2_kb",
        row.kb,
        "kB",
        **facts,
        test=test,
        test_half_interval=half,
        test_by_seed=row.test,
    )


def _results(row: Row) -> Results:
    name = f"smallest: {row.width} {row.change}"
    test, half = _mean(row.test)
    return [
        result(
            f"{name}, test accuracy",
            row.test,
            "share",
            mean=test,
            half_interval=half,
            kb=statistics.median(row.kb),
        ),
        result(
            f"{name}, validation accuracy",
            row.validation,
            "share",
            mean=statistics.mean(row.validation),
        ),
        result(f"{name}, CPU", row.cpu_s, "s"),
    ]


def _distilled(rows: list[Row]) -> list[Width]:
    return [row.width for row in rows if row.change == DISTILLED.name]


def _gain(rows: list[Row], width: Width, change: str = DISTILLED.name) -> dict[str, Any]:
    """Test points that a change wins, seed by seed: both begin with the same weights and the same
    order of examples.
    """
    of = {row.change: row.test for row in rows if row.width == width}
    points = [
        (changed - plain) * 100 for changed, plain in zip(of[change], of[PLAIN.name], strict=True)
    ]
    mean, half = _mean(points)
    return result(
        f"smallest: {width}, won by {change}", points, "points", mean=mean, half_interval=half
    )


def _mean(values: list[float]) -> tuple[float, float]:
    """Mean, and half of its 95 % interval over trainings with other seeds (Student's t)."""
    return (
        statistics.mean(values),
        float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5,
    )


def _told(values: list[float]) -> str:
    mean, half = _mean(values)
    return f"{mean:.2%} ± {half * 100:.2f}"


def _page(rows: list[Row], chosen: Row | None, default: dict[str, float], seconds: float) -> str:
    """Answer, plot, table, and what each change won."""
    lines = []
    for row in rows:
        mark = "**" if row is chosen else ""
        cells = [
            f"{mark}{row.width}{mark}",
            row.change,
            f"{row.parameters:,}",
            f"{mark}{statistics.median(row.kb):.2f}{mark}",
            f"{statistics.mean(row.validation_float32):.2%}",
            _told(row.validation),
            f"{mark}{_told(row.test)}{mark}",
            ", ".join(f"{100 * share:.2f}" for share in row.test),
            f"{statistics.mean(row.cpu_s):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    changed = [(row.width, row.change) for row in rows if row.change != PLAIN.name]
    gains = [
        f"| {width} | {change} | {_signed(_gain(rows, width, change))} |"
        f" {_cost(rows, width, change):.1f} |"
        for width, change in changed
    ]
    hardware = machine.describe()
    versions = ", ".join(
        f"{name} {version}"
        for name, version in machine.versions("torch", "onnxruntime", "onnx", "numpy").items()
    )
    (stem, blocks), epochs = WIDTHS[2], RECIPE["train.epochs"]
    wide = " and ".join(str(one) for one in blocks)
    return f"""# The smallest file that reads {TARGET:.1%} of the digits

{_answer(rows, chosen, default)}

![Test accuracy over kilobytes of the int8 file](smallest.svg)

Every file is a network of `duli/models/fastconv.py`, trained by the recipe of `params.yaml` but over {epochs} epochs, then exported
and quantized as a release is (by min-max); it is complete and takes raw bytes. Width {WIDTHS[2]} means a 5x5
convolution of {stem} channels, then 3x3 convolutions of {wide}, each with a max-pool behind it. Accuracies are means over
{SEEDS} seeds with the 95 % interval of that mean (Student's t over the seeds), of the int8 file unless said otherwise; that the
test split has no more than 10,000 digits leaves another 0.17 points to either side.

Validation chooses: {ENOUGH:.1%} there is enough, for its digits are harder than the published test digits (the default recipe has 99.43 %
there, three seeds, and 99.56 % on test, five seeds). The test split was read once, after all trainings, and only confirms; a row that
it alone would take does not count.

| Width | Training | Parameters | kB | Validation, float32 | Validation | Test | Test by seed | CPU-s |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(lines)}

What a change wins on the test split, paired over the seeds (same initial weights, same order of the first epoch). Distilled:
{SOFT:.0%} of the loss is the distance to the probabilities of the default line's network (temperature {TEMPERATURE:g}), which sees
the same augmented images.

| Width | Change | Points won | times the CPU |
|---|---|---|---|
{chr(10).join(gains)}

CPU seconds are of the training alone, {WORKERS} at a time, one thread each. All of it took {seconds:.0f} s on {hardware["cpu"]}
with {hardware["cores"]} cores; {versions}. `python -m benchmarks.smallest` makes this page.
"""


def _answer(rows: list[Row], chosen: Row | None, default: dict[str, float]) -> str:
    if chosen is None:
        return f"None of these widths reaches {ENOUGH:.1%} on validation and {TARGET:.1%} on test."
    earlier = [f"{row.width} ({row.change})" for row in rows[: rows.index(chosen)] if row.chosen()]
    missed = (
        f" Validation would have taken {', '.join(earlier)}, which test did not confirm."
        if earlier
        else ""
    )
    kb, more = statistics.median(chosen.kb), default["kb"] / statistics.median(chosen.kb)
    return (
        f"**{kb:.1f} kB**: width {chosen.width} ({chosen.change}), {chosen.parameters:,}"
        f" parameters, {_told(chosen.test)} on test.\nThe default line's int8 file has"
        f" {default['kb']:.1f} kB, {more:.0f} times as many, and reads"
        f" {default['test']:.2%}.{missed}"
    )


def _signed(gain: dict[str, Any]) -> str:
    return f"{gain['mean']:+.2f} ± {gain['half_interval']:.2f}"


def _cost(rows: list[Row], width: Width, change: str) -> float:
    of = {row.change: statistics.mean(row.cpu_s) for row in rows if row.width == width}
    return of[change] / of[PLAIN.name]


def _plot(rows: list[Row], default: dict[str, float]) -> str:
    points = [
        {"kb": kb, "accuracy": test * 100, "training": row.change, "width": str(row.width)}
        for row in rows
        for kb, test in zip(row.kb, row.test, strict=True)
    ]
    means = [
        {
            "kb": statistics.median(row.kb),
            "accuracy": statistics.mean(row.test) * 100,
            "training": row.change,
            "width": str(row.width),
        }
        for row in rows
    ]
    plain = [mean for mean in means if mean["training"] == PLAIN.name]
    default_point = [
        {
            "kb": default["kb"],
            "accuracy": default["test"] * 100,
            "training": "default line",
            "width": "default line",
        }
    ]
    order = [*dict.fromkeys(change.name for _, change in VARIANTS), "default line"]
    encoding = {
        "x": {
            "field": "kb",
            "type": "quantitative",
            "scale": {"type": "log", "domain": [5, 100]},
            "axis": {"values": [5, 6, 7, 8, 10, 16, 32, 64], "format": "d"},
            "title": "int8 file, kB",
        },
        "y": {
            "field": "accuracy",
            "type": "quantitative",
            "scale": {"zero": False},
            "title": "right on the test split, %",
        },
        "color": {
            "field": "training",
            "type": "nominal",
            "sort": order,
            "scale": {"domain": order},
            "title": None,
        },
    }
    name = {"text": {"field": "width"}, "color": {"value": "#555"}}
    target = {
        "data": {"values": [{"accuracy": TARGET * 100}]},
        "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#888"},
    }
    layers = [
        {**target, "encoding": {"y": encoding["y"]}},
        {"data": {"values": plain}, "mark": {"type": "line"}, "encoding": encoding},
        {
            "data": {"values": points},
            "mark": {"type": "point", "filled": True, "size": 30, "opacity": 0.5},
            "encoding": encoding,
        },
        {
            "data": {"values": means + default_point},
            "mark": {"type": "point", "filled": True, "shape": "diamond", "size": 90},
            "encoding": encoding,
        },
        {
            "data": {"values": plain + default_point},
            "mark": {"type": "text", "dx": 10, "dy": 12, "align": "left"},
            "encoding": {**encoding, **name},
        },
    ]
    chart = {"background": "white", "width": 640, "height": 340, "layer": layers}
    return str(vl_convert.vegalite_to_svg(chart, vl_version="6.4"))


if __name__ == "__main__":
    main()
