"""Measures the further release lines: how well and how fast each learns what it was made for.

    make bench-lines                        all of it; writes benchmarks/results/lines.json
    python -m benchmarks.lines PART ...     some of it; the rest of the file stays

A part but new_line needs its line's prepared examples (`cd pipelines/NAME && dvc repro validate`),
and its seconds are of the training alone, on as many threads as its params say.
"""

import os
import statistics
from collections.abc import Callable

import torch

from benchmarks import baseline
from benchmarks.new_line import new_line
from benchmarks.recipes import ROOT, Data, Run, Settings, load, run
from benchmarks.record import Results, result, run_parts

SEEDS = 3
FASHION = ROOT / "pipelines/fashion"
REVIEWS = ROOT / "pipelines/reviews"

# As wide as 300,000 parameters allow, all examples in every epoch. At equal cost, over the harder
# half alone, it got 95.3 % on validation where this gets 95.8 %, and as much on test.
FASHION_FULL: Settings = {
    "model.fastconv.stem": 32,
    "model.fastconv.blocks": [[32], [64, 64], [128, 128]],
    "model.fastconv.dropout": 0.3,
    "train.epochs": 22,
    "train.hardest": 1.0,
    "train.ema": 0.998,
    "train.evaluations": 10,
    "train.augmentation.erase": 0.5,
    "train.threads": 1,
}


def main() -> None:
    run_parts("lines", PARTS, str(__doc__), "torch", "numpy")


def fashion() -> Results:
    """The recipe of pipelines/fashion/params.yaml."""
    return _fashion("fashion", {}, SEEDS)


def fashion_full() -> Results:
    """The longer recipe. The one before it had been looked at on the test split, and so had this
    one before its answers were mirrored.
    """
    return _fashion("fashion_full", FASHION_FULL, 1)


def reviews() -> Results:
    """The recipe of pipelines/reviews/params.yaml with masked-language pretraining, and
    without it.
    """
    data = load(REVIEWS)
    pretrained = _runs("reviews", data, {}, SEEDS)
    scratch = _runs("reviews_from_scratch", data, {"train.pretraining": None}, SEEDS)
    gains = [100 * (one.test - other.test) for one, other in zip(pretrained, scratch, strict=True)]
    return [
        *_told("reviews", pretrained),
        *_told("reviews_from_scratch", scratch),
        result(
            "reviews_pretraining_gain", gains, "points", mean=statistics.mean(gains), each=gains
        ),
    ]


def reviews_baseline() -> Results:
    """A linear classifier of the same splits, and of the published lines with their duplicates,
    split at random.
    """
    clean = baseline.splits(REVIEWS / "data/prepared")
    leaking = [baseline.lines(REVIEWS / "data/raw", seed) for seed in range(SEEDS)]
    results: Results = []
    for name, fit in (
        ("reviews_baseline", baseline.simple),
        ("reviews_baseline_tuned", baseline.tuned),
    ):
        one, flattered = fit(clean), [fit(data) for data in leaking]
        results.append(
            result(f"{name}_accuracy", [one.test], "share", examples=one.examples, cpu_s=one.cpu_s)
        )
        told = f"{name}_accuracy_with_duplicates"
        results.append(
            result(told, [each.test for each in flattered], "share", examples=flattered[0].examples)
        )
    return results


def _fashion(name: str, settings: Settings, seeds: int) -> Results:
    return _told(name, _runs(name, load(FASHION), settings, seeds))


def _runs(name: str, data: Data, settings: Settings, seeds: int) -> list[Run]:
    runs = []
    for seed in range(seeds):
        one = run(data, {**settings, "train.seed": seed})
        told = f"{one.validation:.2%} on validation, {one.test:.2%} on test"
        print(f"{name}, seed {seed}: {told}, {one.wall_s:.0f} s, {one.cpu_s:.0f} CPU-s", flush=True)
        runs.append(one)
    return runs


def _told(name: str, runs: list[Run]) -> Results:
    tests = [one.test for one in runs]
    threads, load_average = torch.get_num_threads(), os.getloadavg()[2]
    return [
        result(f"{name}_accuracy", tests, "share", mean=statistics.mean(tests), each=tests),
        result(f"{name}_validation_accuracy", [one.validation for one in runs], "share"),
        result(
            f"{name}_accuracy_seconds",
            [one.wall_s for one in runs],
            "s",
            threads=threads,
            load_average=load_average,
        ),
        result(f"{name}_accuracy_cpu_s", [one.cpu_s for one in runs], "s"),
        result(
            f"{name}_parameters",
            [sum(weight.numel() for weight in runs[0].model.parameters())],
            "weights",
        ),
    ]


PARTS: dict[str, Callable[[], Results]] = {
    "fashion": fashion,
    "fashion_full": fashion_full,
    "reviews": reviews,
    "reviews_baseline": reviews_baseline,
    "new_line": new_line,
}


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
