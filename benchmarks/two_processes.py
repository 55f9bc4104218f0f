"""Compares a training of two gloo processes with one of a single process: the same steps over the
same batches of the same size.

Started by torchrun, as `torchrun --nproc-per-node 2 -m benchmarks.two_processes ddp sgd FILE`, it
is one of these processes.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.recipes import build, load
from benchmarks.record import result
from duli.training import distributed
from duli.training.feed import Examples
from duli.training.loop import fit

STEPS = 40


def measure() -> list[dict[str, Any]]:
    """Differences of the losses of each step, in nats, between one process and two; for DDP and for
    FSDP2.

    With SGD they stay what rounding makes them; AdamW divides by the gradient's own size, so that
    the sign of a gradient that is almost nothing decides, and rounding grows.
    """
    results = []
    for optimizer in ("sgd", "adamw"):
        alone = _losses("ddp", optimizer, processes=1)
        for parallel in ("ddp", "fsdp"):
            differences = [
                abs(one - two)
                for one, two in zip(alone, _losses(parallel, optimizer, processes=2), strict=True)
            ]
            facts = {
                "first_step": differences[0],
                "first_5_steps": max(differences[:5]),
                "steps": STEPS,
                "precision": "float32",
            }
            results.append(
                result(f"{parallel}_equal_{optimizer}", [max(differences)], "nats", **facts)
            )
    return results


def _losses(parallel: str, optimizer: str, processes: int) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as folder:
        file = Path(folder) / "losses.json"
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={processes}",
        ]
        command += ["-m", "benchmarks.two_processes", parallel, optimizer, str(file)]
        done = subprocess.run(
            command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{processes} processes failed:\n{done.stderr[-3000:]}")
        losses: list[float] = json.loads(file.read_text())
        return losses


def _process(parallel: str, optimizer: str, file: Path) -> None:
    data = load()
    world, _ = distributed.join(os.environ)
    recipe = {
        "train.parallel": parallel,
        "train.optimizer": optimizer,
        "train.epochs": 1,
        "train.evaluations": STEPS,
        "train.precision": "float32",
    }
    model, training = build(data, recipe)
    distributed.connect(world, torch.device("cpu"))
    history = fit(
        model,
        Examples(*(column[: STEPS * training.batch] for column in data.train)),
        Examples(*(column[:500] for column in data.validation)),
        training,
        **data.fitting(training),
        device=torch.device("cpu"),
        precision=torch.float32,
        on_metrics=lambda step, metrics: None,
        world=world,
    ).history
    distributed.disconnect()
    if world.writes:
        file.write_text(json.dumps([point.train_loss for point in history]))


if __name__ == "__main__":
    _process(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
