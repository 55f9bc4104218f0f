"""Measures training: against what people run, against the bare network, through kills, and on two
processes.

    make bench-train                        all of it, about an hour on two cores; writes
    benchmarks/results/train.json python -m benchmarks.train PART ...     some of it (ratio,
    default, full, loop, kills, ddp); the rest of the file stays

Needs the prepared examples (`dvc repro validate`) and the raw files beside them. CPU seconds are of
the whole process, imports left out.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import kills, loop_efficiency, two_processes
from benchmarks.recipes import FULL, QUICK, ROOT, Run, Settings, load, run
from benchmarks.record import Results, result, run_parts

SEEDS = 3
TARGET = 0.99  # mean test accuracy that the recipes race to
# reference programs, and how many epochs each is given
PROGRAMS = {"tutorial": 6, "examples_mnist": 6}


def main() -> None:
    run_parts("train", PARTS, str(__doc__), "torch", "torchvision", "numpy")


def ratio() -> Results:
    """CPU seconds to a mean test accuracy of 99.0 %: ours, the tutorial's and pytorch/examples',
    one after the other for each seed.
    """
    ours: list[Run] = []
    data = load()
    curves: dict[str, list[list[dict[str, float]]]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as folder:
        raw = Path(folder) / "MNIST/raw"
        raw.mkdir(parents=True)
        for file in (ROOT / "data/raw").iterdir():
            (raw / file.name).symlink_to(file)
        for seed in range(1, SEEDS + 1):
            ours += [run(data, {**QUICK, "train.seed": seed})]
            for name, epochs in PROGRAMS.items():
                curves[name].append(_program(name, Path(folder), seed, epochs))
            ours += [run(data, {**QUICK, "train.seed": seed + SEEDS})]
    mean = statistics.mean(one.test for one in ours)
    cpu = [one.cpu_s for one in ours]
    results = [
        result("quick_accuracy", [one.test for one in ours], "share", mean=mean),
        result("quick_cpu_s", cpu, "s"),
    ]
    for name, runs in curves.items():
        means = [
            statistics.mean(line["test_accuracy"] for line in epoch)
            for epoch in zip(*runs, strict=True)
        ]
        reached = next((epoch for epoch, accuracy in enumerate(means) if accuracy >= TARGET), None)
        needed = [lines[reached if reached is not None else -1]["cpu_seconds"] for lines in runs]
        facts = {
            "mean_accuracy_by_epoch": means,
            "reached": reached is not None,
            "epochs": (reached if reached is not None else len(means) - 1) + 1,
        }
        results.append(result(f"{name}_cpu_s_to_99", needed, "s", **facts))
        if name == "examples_mnist":
            ratios = [theirs / statistics.mean(cpu) for theirs in needed]
            # A lower bound where the target was not reached; and none at all where ours was not.
            results.append(
                result(
                    "cpu_ratio_to_99",
                    ratios if mean >= TARGET else [0.0],
                    "times",
                    at_least=reached is None,
                )
            )
    return results


def _program(name: str, data: Path, seed: int, epochs: int) -> list[dict[str, float]]:
    """The epochs of a reference program, on one thread as ours is: two cost it more CPU seconds."""
    command = [
        sys.executable,
        str(ROOT / f"benchmarks/reference/{name}.py"),
        "--data",
        str(data),
        "--epochs",
        str(epochs),
    ]
    done = subprocess.run(
        [*command, "--seed", str(seed), "--threads", "1"], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    print(f"{name}, seed {seed}: {done.stdout.splitlines()[-1]}", flush=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def default() -> Results:
    """The recipe of params.yaml, five seeds."""
    return _recipe("default", {}, range(5))


def full() -> Results:
    """The longer recipe; the test split is looked at once, here."""
    return _recipe("full", FULL, range(SEEDS))


def _recipe(name: str, settings: Settings, seeds: range) -> Results:
    data = load()
    runs = [run(data, {**settings, "train.seed": seed}) for seed in seeds]
    tests = [one.test for one in runs]
    return [
        result(f"{name}_accuracy", tests, "share", mean=statistics.mean(tests), each=tests),
        result(f"{name}_validation_accuracy", [one.validation for one in runs], "share"),
        result(f"{name}_cpu_s", [one.cpu_s for one in runs], "s"),
        result(
            f"{name}_wall_s", [one.wall_s for one in runs], "s", threads=torch.get_num_threads()
        ),
        result(
            f"{name}_parameters",
            [sum(weight.numel() for weight in runs[0].model.parameters())],
            "weights",
        ),
    ]


PARTS: dict[str, Callable[[], Results]] = {
    "ratio": ratio,
    "default": default,
    "full": full,
    "loop": loop_efficiency.measure,
    "kills": kills.measure,
    "ddp": two_processes.measure,
}


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    started = time.perf_counter()
    main()
    print(f"{time.perf_counter() - started:.0f} s")
