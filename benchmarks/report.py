"""Measures the business report on the line that is built here: how long it takes, and whether it
writes the same bytes each time.

    make bench-report                          all of it, under a minute on two cores; writes
    benchmarks/results/report.json python -m benchmarks.report PART ...       some of it (seconds,
    draws); the rest of the file stays

Needs the line up to package (`dvc repro package`): it runs on copies of its inputs, in a temporary
folder.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import Results, result, run_parts
from duli.base import files
from duli.base.params import Params
from duli.economics.params import Report

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5
INPUTS = (
    *(
        "params.yaml",
        "champion.json",
        "data/market",
        "dist/manifest.json",
        "reports/predictions.parquet",
        "reports/resources/train.json",
    ),
    *(
        f"reports/{name}.json"
        for name in ("train", "evaluation", "quantization", "benchmark", "validation")
    ),
)
OUTPUTS = (
    "business.json",
    "assumptions.csv",
    "gates.json",
    "headline.json",
    "report.html",
    "report.zh.html",
    "report.md",
)


def main() -> None:
    run_parts(
        "report", PARTS, str(__doc__), "numpy", "scipy", "pyarrow", "jinja2", "vl-convert-python"
    )


def seconds() -> Results:
    """Wall seconds of the whole process with the draws of params.yaml; the same bytes each time."""
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        folder = _copy(Path(name))
        taken, digests = [], set()
        for _ in range(RUNS):
            taken.append(_run(folder))
            digests.add(tuple(files.sha256(folder / "reports" / output) for output in OUTPUTS))
        peak = files.read_json(folder / "reports/resources/report.json")["peak_mb"]
    draws = Params(ROOT / "params.yaml").section("report", Report).draws
    return [
        result(
            "seconds_10k_draws", taken, "s", draws=draws, includes="start of Python and all imports"
        ),
        result("peak_mb", [peak], "MB"),
        result("different_reports", [len(digests) - 1], "reports"),
    ]


def draws() -> Results:
    """How far the middle of the NPV moves from seed to seed, as a share of the width from P10 to
    P90: what the draws do not settle.
    """
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        folder = _copy(Path(name))
        text, found = (folder / "params.yaml").read_text(), []
        for seed in range(RUNS):
            (folder / "params.yaml").write_text(
                text.replace("report:\n", f"report:\n  seed: {seed}\n", 1)
            )
            _run(folder)
            found.append(files.read_json(folder / "reports/business.json")["investment"])
    width = found[0]["npv_usd"]["p90"] - found[0]["npv_usd"]["p10"]
    return [
        result(
            "p50 of the NPV by seed", [one["npv_usd"]["p50"] / width for one in found], "widths"
        ),
        result("P(NPV > 0) by seed", [one["npv_positive_probability"] for one in found], "share"),
        result(
            "variance from assumed by seed",
            [one["npv_variance_from_assumed"] for one in found],
            "share",
        ),
    ]


PARTS = {"seconds": seconds, "draws": draws}


def _copy(folder: Path) -> Path:
    for name in INPUTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (
            shutil.copytree(ROOT / name, folder / name)
            if (ROOT / name).is_dir()
            else shutil.copy(ROOT / name, folder / name)
        )
    return folder


def _run(folder: Path) -> float:
    began = time.perf_counter()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "stages", "report"],
        cwd=folder,
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
