"""The cost of a training, estimated before it starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from duli.base import files, machine

if TYPE_CHECKING:
    from duli.base.kinds import Kind
    from duli.base.params import Params
    from duli.training.plan import Plan

STATS = Path("data/prepared/stats.json")


def plan(gpu_memory: float) -> None:
    """Estimates a training before it starts: arithmetic, memory, whether it fits here, how many
    GPUs it needs.

    Memory is that of one device at the height of a training step, as params.yaml has it (model,
    train.batch, train.precision and so on). A tenth of a device's memory is kept free for the
    temporaries of its kernels, which nobody can foresee. On GPUs the batch is divided among them:
    under DDP each holds all the rest; under FSDP weights, gradients, optimizer state and EMA are
    divided too, and the largest layer is gathered. The size of the inputs is that of
    data/prepared/stats.json, else what the dataset's module says.
    """
    import torch

    from duli.base import rooms
    from duli.base.params import Params
    from duli.models.shared.inputs import network_sees
    from duli.models.shared.new import build
    from duli.models.shared.params import ModelChoice
    from duli.training import device as devices
    from duli.training import distributed, feed, layers, optim
    from duli.training import plan as planning
    from duli.training.params import Training
    from stages import sections

    sections.check(Path("params.yaml"))
    params = Params("params.yaml")
    choice, train = params.section("model", ModelChoice), params.section("train", Training)
    data = _data(params)
    one = rooms.kind(data.kind.name, "learning.inputs").example(data.kind.input, 1)
    device = devices.choose(train.device)
    precision = devices.precision(train.precision, device)
    # shapes without content: a network of any size is there at once and takes no memory
    with torch.device("meta"):
        model = build(choice.name, choice.settings, **data.kind.input, outputs=data.outputs)
    distributed.shard(model, train, distributed.World(), device)
    if not train.transfer.unfreeze:  # else all of them learn in the end
        layers.freeze(model, train.transfer.frozen)
    size = (data.n or 0) * one.nbytes
    gpu_bytes = devices.free_bytes(device)  # None if the examples lie in main memory anyway
    kept = gpu_bytes is None or feed.resident(train.examples, size, gpu_bytes)
    cost = planning.plan(
        model,
        network_sees(one),
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
    ddp, fsdp = (
        planning.ddp_devices(cost, gpu_memory * 1e9),
        planning.fsdp_devices(cost, gpu_memory * 1e9),
    )
    sides = ", ".join(f"{name} {size:,}" for name, size in data.kind.input.items())
    print(
        f"\n{choice.name}: {data.kind.name} of {sides} -> {data.outputs} outputs ({data.source})\n"
    )
    print(
        *_arithmetic(cost),
        "",
        *_memory(
            cost,
            f"{train.optimizer}: {optim.STATE_TENSORS[train.optimizer]}",
            str(precision).removeprefix("torch."),
            data.n,
            kept=kept,
        ),
        "",
        sep="\n",
    )
    print(f"  here         {fits}: {device.type} with {free / 1e9:,.1f} GB free")
    print(
        f"  GPUs         of {gpu_memory:g} GB: {_gpus(ddp, cost.batch)} under DDP,"
        f" {_gpus(fsdp, cost.batch)} under FSDP"
    )


def _arithmetic(cost: "Plan") -> list[str]:
    return [
        f"  parameters   {cost.parameters:>12,}"
        + ("" if cost.trainable == cost.parameters else f"            {cost.trainable:,} trained"),
        f"  forward      {_flops(cost.forward_flops)}   an example",
        f"  step         {_flops(cost.step_flops)}   forward and backward, {cost.batch:,} examples",
    ]


def _flops(count: int) -> str:
    scale, unit = next(
        (scale, unit)
        for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
        if count >= scale or unit == "k"
    )
    return f"{count / scale:>12,.2f} {unit}FLOP"


def _memory(
    cost: "Plan", optimizer: str, precision: str, n: int | None, *, kept: bool
) -> list[str]:
    """One line per kind of memory, all in one unit, so that they compare at a glance."""
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
    rows = [
        (name, f"{size / scale:,.2f} {unit}" if size else "-", notes[name])
        for name, size in sizes.items()
    ]
    return [
        f"  {name:<12} {size:>15}      {note}".rstrip()
        for name, size, note in [*rows, ("total", f"{total / scale:,.2f} {unit}", "")]
    ]


def _examples(n: int | None, *, kept: bool) -> str:
    if n is None:
        return "not counted: their number is not known before they are prepared"
    return (
        f"{n:,}, kept as bytes"
        if kept
        else f"as bytes, two shards at a time of the {n:,} that are streamed"
    )


def _gpus(count: int | None, most: int) -> str:
    return str(count) if count else f"no number is enough (up to {most:,}, one example each)"


class _Data(NamedTuple):
    """The facts known about the examples before training."""

    kind: "Kind"
    outputs: int
    n: int | None  # of train and validation; None if it is not known yet
    source: str


def _data(params: "Params") -> _Data:
    from duli.base import kinds, rooms
    from duli.datasets.shared.dataset import dataset
    from duli.datasets.shared.params import Data
    from duli.preparation.cleaning.params import Prepare

    task = params.values["task"]
    learning = rooms.task(task, "learning.learn").Learning
    data = params.section("data", Data)
    name = data.dataset
    stats = files.read_json(STATS) if STATS.exists() else {}
    if stats.get("dataset") == name:
        n = sum(stats["splits"][split]["examples"] for split in ("train", "validation"))
        kind = kinds.kind(stats["kind"], stats["input"])
        return _Data(kind, learning(stats).outputs, n, str(STATS))
    declared = dataset(name, data.own)
    kind = kinds.of(declared, params.section("prepare", Prepare).tokens)
    facts = rooms.task(task, "targets.targets").Targets.of(declared).facts
    return _Data(kind, learning(facts).outputs, None, f"dataset {name}, not prepared yet")


def _gigabytes(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


# argparse says "invalid number of gigabytes value: '0'"
_gigabytes.__name__ = "number of gigabytes"

OPTIONS: dict[str, dict[str, Any]] = {
    "--gpu-memory": {
        "type": _gigabytes,
        "default": 24.0,
        "metavar": "GB",
        "help": "memory of one GPU, 10^9 bytes (default: 24)",
    },
}
