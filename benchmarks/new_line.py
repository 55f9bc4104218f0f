"""Measures how long it takes from a CSV file to the report of a release line of its own: `duli
new`, then `dvc repro report`.

In a copy of the repository, with the params that `duli new` writes. Nothing is cached, so all ten
stages but the last, `track`, run.
"""

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.record import Results, result
from harness.clone import ROOT, make_clone
from harness.made_up import points, reviews

ROWS = 10_000
RUNS = 3


def new_line() -> Results:
    """A line of numbers and a line of short texts, each `RUNS` times anew."""
    return [_measured("new_line_numbers_s", points), _measured("new_line_texts_s", reviews)]


def _measured(measure: str, made_up: Callable[[Path, int], Path]) -> dict[str, Any]:
    seconds, cpu, accuracies = [], [], []
    for run in range(RUNS):
        with tempfile.TemporaryDirectory(prefix="duli-new-line-") as name:
            data = made_up(Path(name) / "data.csv", ROWS)
            (Path(name) / "clone").mkdir()
            clone = make_clone(Path(name) / "clone", Path(name))
            shutil.copy(ROOT / "params.yaml", clone.folder)  # those of the tests are quicker
            start, before = time.perf_counter(), _cpu()
            clone.duli("new", "mine", "--from", str(data))
            clone.folder /= "pipelines/mine"
            clone.run("dvc", "repro", "report")
            seconds.append(time.perf_counter() - start)
            cpu.append(_cpu() - before)
            accuracies.append(clone.json("reports/business.json")["accuracy"]["value"])
            print(
                f"  {measure}, run {run}: {seconds[-1]:.1f} s, {cpu[-1]:.1f} CPU-s, accuracy"
                f" {accuracies[-1]:.2%}",
                file=sys.stderr,
            )
    return result(
        measure,
        seconds,
        "s",
        each=seconds,
        cpu_s=cpu,
        rows=ROWS,
        test_accuracy=accuracies,
        load_average=os.getloadavg()[2],
    )


def _cpu() -> float:
    """Seconds on a core that ended children have taken: what a busy machine does not change
    much.
    """
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
