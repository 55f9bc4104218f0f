"""The `duli` command: what people do around `dvc repro`, in the folder of a release line."""

import argparse
import importlib
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from duli import files, machine
from duli.errors import exit_code

if TYPE_CHECKING:
    from duli.params import Params
    from duli.training.plan import Plan

REPORT = Path("reports/report.html")
STATS = Path("data/prepared/stats.json")
REPORTS = ("train", "evaluation", "quantization", "benchmark", "business", "gates")


def main() -> None:
    """Entry point of the console script."""
    parser = argparse.ArgumentParser(prog="duli", description=__doc__, epilog="Run it where the params.yaml of the release line is.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, action in COMMANDS.items():
        purpose = str(action.__doc__).split("\n", 1)[0].rstrip(".")
        command = commands.add_parser(name, help=purpose[0].lower() + purpose[1:], description=str(action.__doc__))
        for flag, option in OPTIONS.get(name, {}).items():
            command.add_argument(flag, **option)
        command.set_defaults(action=action)
    arguments = vars(parser.parse_args())
    action = arguments.pop("action")
    del arguments["command"]
    sys.exit(exit_code("duli", lambda: action(**arguments)))


def check() -> None:
    """Checks every section of params.yaml at once and lists all mistakes with their fix."""
    from stages import sections

    sections.check(Path("params.yaml"))
    print(f"params.yaml: all {len(sections.SECTIONS)} sections are valid")


def plan(gpu_memory: float) -> None:
    """Says what training would cost before any of it is done: arithmetic, memory, whether it fits here, how many GPUs it needs.

    Memory is that of one device at the height of a training step, as params.yaml has it (model, train.batch, train.precision and so
    on). A tenth of a device's memory is kept free for the temporaries of its kernels, which nobody can foresee. On GPUs the batch is
    divided among them: under DDP each holds all the rest; under FSDP weights, gradients, optimizer state and EMA are divided too, and
    the largest layer is gathered. The size of the inputs is that of data/prepared/stats.json, else what the dataset's module says.
    """
    import torch

    from duli.models._params import ModelChoice
    from duli.params import Params
    from duli.training import device as devices
    from duli.training import distributed, feed, layers, optim
    from duli.training import plan as planning
    from duli.training.params import Training

    params = Params("params.yaml")
    choice, train = params.section("model", ModelChoice), params.section("train", Training)
    images = _images(params)
    sizes = dict(zip(("channels", "height", "width"), images.shape, strict=True))
    device = devices.choose(train.device)
    precision = devices.precision(train.precision, device)
    with torch.device("meta"):  # shapes without content: a network of any size is there at once and takes no memory
        model = importlib.import_module(f"duli.models.{choice.name}").build(choice.settings, **sizes, classes=images.classes)
    distributed.shard(model, train, distributed.World(), device)
    if not train.transfer.unfreeze:  # else all of them learn in the end
        layers.freeze(model, train.transfer.frozen)
    size = (images.n or 0) * math.prod(images.shape)
    gpu_bytes = devices.free_bytes(device)  # None where the examples lie in main memory anyway
    kept = gpu_bytes is None or feed.resident(train.examples, size, gpu_bytes)
    cost = planning.plan(
        model,
        images.shape,
        batch=train.batch,
        precision=precision,
        optimizer_tensors=optim.STATE_TENSORS[train.optimizer],
        ema=train.ema is not None,
        micro_batch=train.micro_batch,
        examples=size if kept else min(size, 2 * feed.SHARD_BYTES),
        device=device,
    )
    free = machine.available_bytes() if gpu_bytes is None else gpu_bytes
    fits = "fits" if planning.fits(sum(cost.memory().values()), free) else "does not fit"
    ddp, fsdp = planning.ddp_devices(cost, gpu_memory * 1e9), planning.fsdp_devices(cost, gpu_memory * 1e9)
    print(f"\n{choice.name}: {' x '.join(map(str, images.shape))} pixels -> {images.classes} classes ({images.source})\n")
    print(
        *_arithmetic(cost),
        "",
        *_memory(
            cost, f"{train.optimizer}: {optim.STATE_TENSORS[train.optimizer]}", str(precision).removeprefix("torch."), images.n, kept=kept
        ),
        "",
        sep="\n",
    )
    print(f"  here         {fits}: {device.type} with {free / 1e9:,.1f} GB free")
    print(f"  GPUs         of {gpu_memory:g} GB: {_gpus(ddp, cost.batch)} under DDP, {_gpus(fsdp, cost.batch)} under FSDP")


def _arithmetic(cost: "Plan") -> list[str]:
    return [
        f"  parameters   {cost.parameters:>12,}" + ("" if cost.trainable == cost.parameters else f"            {cost.trainable:,} trained"),
        f"  forward      {_flops(cost.forward_flops)}   an example",
        f"  step         {_flops(cost.step_flops)}   forward and backward, {cost.batch:,} examples",
    ]


def _flops(count: int) -> str:
    scale, unit = next((scale, unit) for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")) if count >= scale or unit == "k")
    return f"{count / scale:>12,.2f} {unit}FLOP"


def _memory(cost: "Plan", optimizer: str, precision: str, n: int | None, *, kept: bool) -> list[str]:
    """One line a kind of memory, all in one unit, so that they compare at a glance."""
    notes = {
        "weights": "float32, with buffers",
        "gradients": "float32",
        "optimizer": f"{optimizer} float32 a parameter",
        "ema": "a copy of the weights" if cost.ema else "off",
        "activations": f"kept for the backward pass, {cost.micro_batch:,} examples, {precision}",
        "examples": _examples(n, kept=kept),
    }
    sizes = cost.memory()
    total = sum(sizes.values())
    scale, unit = (1e9, "GB") if total >= 1e10 else (1e6, "MB")
    rows = [(name, f"{size / scale:,.2f} {unit}" if size else "-", notes[name]) for name, size in sizes.items()]
    return [f"  {name:<12} {size:>15}      {note}".rstrip() for name, size, note in [*rows, ("total", f"{total / scale:,.2f} {unit}", "")]]


def _examples(n: int | None, *, kept: bool) -> str:
    if n is None:
        return "not counted: their number is not known before they are prepared"
    return f"{n:,}, kept as bytes" if kept else f"as bytes, two shards at a time of the {n:,} that are streamed"


def _gpus(count: int | None, most: int) -> str:
    return str(count) if count else f"no number is enough (up to {most:,}, one example each)"


class _Images(NamedTuple):
    """What is known of the examples before training."""

    shape: tuple[int, int, int]  # channels, height, width
    classes: int
    n: int | None  # of train and validation; None where it is not known yet
    source: str


def _images(params: "Params") -> _Images:
    from duli.datasets._params import Data

    name = params.section("data", Data).dataset
    stats = files.read_json(STATS) if STATS.exists() else {}
    if stats.get("dataset") == name:
        n = sum(stats["splits"][split]["examples"] for split in ("train", "validation"))
        return _Images((stats["channels"], stats["height"], stats["width"]), len(stats["classes"]), n, str(STATS))
    dataset = importlib.import_module(f"duli.datasets.{name}")
    return _Images(dataset.SHAPE, len(dataset.CLASSES), None, f"dataset {name}, not prepared yet")


def show() -> None:
    """Shows the release that the files of this line make up: verdict, headline numbers, where everything is."""
    manifest = files.read_json("dist/manifest.json")
    reports = {name: files.read_json(f"reports/{name}.json") for name in REPORTS}
    run, wheel = files.read_json("reports/release_run.json"), manifest["wheel"]
    rows = [
        *_numbers(reports),
        ("report", str(REPORT)),
        ("wheel", f"dist/{wheel['file']} ({wheel['bytes'] / 1000:.0f} kB{'' if manifest['signed'] else ', unsigned'})"),
        ("MLflow", f"{run['registered_model']} version {run['version']}, run {run['run_id'][:8]} of experiment {run['experiment']}"),
    ]
    print(f"\n{manifest['name']} {manifest['version']}\n" + "\n".join(f"  {name:<11} {text}" for name, text in rows))
    print(
        "\nnext: make ui      compare releases in MLflow\n"
        "      make report  open the market and business report\n"
        "      dvc exp run -S train.epochs=8"
    )


def report() -> None:
    """Opens the market and business report in the browser, or says where it is."""
    files.read_json("reports/business.json")  # says what to do where no report was made
    print(REPORT.resolve())
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
        import webbrowser

        webbrowser.open(REPORT.resolve().as_uri())


def track() -> None:
    """Makes sure that this release stands in MLflow, from DVC's files; rebuilds a missing run or version, never a second one."""
    from stages.track import record

    logged = record(Path(), os.environ)
    print(
        f"run {logged.run_id} ({'logged now' if logged.created else 'was there'}), "
        f"{logged.registered_model} version {logged.version} ({'registered now' if logged.registered else 'was there'})"
    )


def ui() -> None:
    """Starts the MLflow UI on loopback and says which pages to open; Ctrl-C stops it."""
    from duli.tracking import store
    from duli.tracking.ui import serve

    serve(store.locate(os.environ, Path()), lambda text: print(text, flush=True))


def _numbers(reports: dict[str, Any]) -> list[tuple[str, str]]:
    """The headline of the release as a person reads it."""
    variant = reports["benchmark"]["shipped"]
    shipped, speed = reports["quantization"]["variants"][variant], reports["benchmark"]["variants"][variant]
    business, gates = reports["business"], reports["gates"]
    held = f": {'; '.join(gates['reasons'])}" if gates["reasons"] else f" ({gates['gates']} gates passed)"
    accuracy, cost = reports["evaluation"]["accuracy"], business["unit_cost_usd_per_million"]
    price = f"{business['price_usd_per_thousand']:.2f} USD a thousand"
    return [
        ("verdict", gates["verdict"] + held),
        ("accuracy", f"{accuracy['value']:.2%} ({accuracy['low']:.2%} to {accuracy['high']:.2%}, n = {accuracy['n']:,}, {variant})"),
        ("size", f"{shipped['bytes'] / 1000:.1f} kB, {reports['train']['parameters']:,} parameters"),
        ("latency", f"{speed['latency_ms']['value'] * 1000:.0f} us at batch 1, p99 {speed['latency_ms']['p99'] * 1000:.0f} us, one thread"),
        ("throughput", f"{speed['throughput']['value']:,.0f} a second at batch {speed['throughput']['batch']}, one thread"),
        (
            "unit cost",
            f"{cost['value']:,.0f} USD a million ({cost['low']:,.0f} to {cost['high']:,.0f}), "
            f"gross margin {business['gross_margin']['value']:.0%} at {price}",
        ),
    ]


def _gigabytes(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


_gigabytes.__name__ = "number of gigabytes"  # argparse says "invalid number of gigabytes value: '0'"

OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "plan": {
        "--gpu-memory": {"type": _gigabytes, "default": 24.0, "metavar": "GB", "help": "memory of one GPU, 10^9 bytes (default: 24)"},
    },
}
COMMANDS = {"check": check, "plan": plan, "show": show, "report": report, "track": track, "ui": ui}
