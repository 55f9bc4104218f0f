"""Measures the further release lines: how well and how fast each learns what it was made for.

    make bench-lines                        all of it; writes benchmarks/results/lines.json
    python -m benchmarks.lines PART ...     some of it (fashion, fashion_full, new_line); the rest of the file stays

A part but new_line needs its line's prepared examples (`cd pipelines/NAME && dvc repro validate`), and its seconds are of the training
alone, on as many threads as its params say.
"""

import os
import statistics
from collections.abc import Callable

import torch

from benchmarks.new_line import new_line
from benchmarks.recipes import ROOT, Settings, load, run
from benchmarks.record import Results, result, run_parts

SEEDS = 3
FASHION = ROOT / "pipelines/fashion"

# As wide as 300,000 parameters allow, and three times as long. First values: nobody has compared them with others on validation yet.
FASHION_FULL: Settings = {
    "model.fastconv.stem": 32,
    "model.fastconv.blocks": [[32], [64, 64], [128, 128]],
    "model.fastconv.dropout": 0.3,
    "train.epochs": 40,
}


def main() -> None:
    run_parts("lines", PARTS, str(__doc__), "torch", "numpy")


def fashion() -> Results:
    """The recipe of pipelines/fashion/params.yaml."""
    return _fashion("fashion", {}, SEEDS)


def fashion_full() -> Results:
    """The longer recipe; the test split is looked at once, here."""
    return _fashion("fashion_full", FASHION_FULL, 1)


def _fashion(name: str, settings: Settings, seeds: int) -> Results:
    data, runs = load(FASHION), []
    for seed in range(seeds):
        one = run(data, {**settings, "train.seed": seed})
        told = f"{one.validation:.2%} on validation, {one.test:.2%} on test"
        print(f"{name}, seed {seed}: {told}, {one.wall_s:.0f} s, {one.cpu_s:.0f} CPU-s", flush=True)
        runs.append(one)
    tests = [one.test for one in runs]
    return [
        result(f"{name}_accuracy", tests, "share", mean=statistics.mean(tests), each=tests),
        result(f"{name}_validation_accuracy", [one.validation for one in runs], "share"),
        result(
            f"{name}_accuracy_seconds", [one.wall_s for one in runs], "s", threads=torch.get_num_threads(), load_average=os.getloadavg()[2]
        ),
        result(f"{name}_accuracy_cpu_s", [one.cpu_s for one in runs], "s"),
        result(f"{name}_parameters", [sum(weight.numel() for weight in runs[0].model.parameters())], "weights"),
    ]


PARTS: dict[str, Callable[[], Results]] = {"fashion": fashion, "fashion_full": fashion_full, "new_line": new_line}


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
