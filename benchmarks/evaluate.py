"""Measures evaluate on the 10,000 test images of MNIST, compares its measures with other programs',
and lets promoters race.

    make bench-evaluate                        all of it, about 5 minutes on two cores; writes
    benchmarks/results/evaluate.json python -m benchmarks.evaluate PART ...     some of it (seconds,
    accuracy, calibration, mcnemar, race); the rest of the file stays

Needs the line up to evaluate (`dvc repro evaluate`): it runs on copies of its inputs, in a
temporary folder.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks import promotion_race
from benchmarks.record import Results, result, run_parts
from duli.base import files

ROOT = Path(__file__).resolve().parents[1]
RUNS = 3
ROUNDS = 200
INPUTS = (
    "params.yaml",
    "data/prepared",
    "models",
    "reports/quantization.json",
    "reports/choice.json",
)
# Functions of the stage, and what they are measured as.
WORK = {
    "_probabilities": "predictions",
    "_measures": "measures",
    "_slices": "slices",
    "_corruptions": "corruptions",
    "_attacks": "attack",
    "_page": "saliency and page",
}


def main() -> None:
    run_parts(
        "evaluate",
        PARTS,
        str(__doc__),
        "torch",
        "onnxruntime",
        "numpy",
        "scipy",
        "scikit-learn",
        "vl-convert-python",
        "mlflow",
        "statsmodels",
    )


def seconds() -> Results:
    """Wall seconds of the whole process, and of its parts; the same bytes each time."""
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        folder = _copy(Path(name))
        runs, digests = [], set()
        for number in range(1, RUNS + 1):
            began = time.perf_counter()
            runs.append(_timed(folder))
            runs[-1]["all"] = time.perf_counter() - began
            digests.add(
                tuple(
                    files.sha256(path) for path in sorted((folder / "reports").glob("evaluation.*"))
                )
            )
            print(f"run {number}: {runs[-1]['all']:.1f} s", flush=True)
        n = files.read_json(folder / "reports/evaluation.json")["n"]
        settings = files.read_json(folder / "reports/evaluation.json")["robustness"]
    attacked = {
        "sizes": settings["pgd_sizes"],
        "steps": settings["pgd_steps"],
        "attacked": settings["pgd"]["0_of_255"]["shipped"]["n"],
    }
    return [
        result(
            "seconds_10k",
            [run["all"] for run in runs],
            "s",
            images=n,
            includes="start of Python and all imports",
            **attacked,
        ),
        *(result(f"seconds of {part}", [run[part] for run in runs], "s") for part in WORK.values()),
        result(
            "seconds of the rest",
            [run["all"] - sum(run[part] for part in WORK.values()) for run in runs],
            "s",
            what="imports, files",
        ),
        result("different_reports", [len(digests) - 1], "files"),
    ]


def accuracy() -> Results:
    """Accuracy less scikit-learn's, of every variant; and top-k, log loss, Brier score, precision,
    recall and F1 of the one that ships.
    """
    from sklearn import metrics as theirs

    facts, labels, probabilities = _evaluated()
    shipped = probabilities[facts["variant"]]
    predictions, every = shipped.argmax(axis=1), np.arange(shipped.shape[1])
    (top,) = (name for name in facts if name.startswith("top_"))
    scores = theirs.precision_recall_fscore_support(
        labels, predictions, labels=every, average="macro", zero_division=0
    )
    pairs = {
        top: theirs.top_k_accuracy_score(labels, shipped, k=int(top.split("_")[1]), labels=every),
        "log_loss": theirs.log_loss(labels, shipped, labels=every),
        "brier": theirs.brier_score_loss(labels, shipped, labels=every, scale_by_half=False),
        **dict(zip(("macro_precision", "macro_recall", "macro_f1"), scores, strict=False)),
    }
    ours = {**facts["variants"], facts["variant"]: facts}
    differences = [
        ours[name]["accuracy"]["value"] - theirs.accuracy_score(labels, one.argmax(axis=1))
        for name, one in probabilities.items()
    ]
    return [
        result(
            "accuracy_difference",
            [abs(one) for one in differences],
            "share",
            of=sorted(probabilities),
        ),
        *(
            result(f"{name}_difference", [abs(facts[name]["value"] - value)], "")
            for name, value in pairs.items()
        ),
    ]


def calibration() -> Results:
    """Calibration error and temperature less those of a second implementation: bin by bin in
    Python, and Newton-like steps in torch.
    """
    from duli.base import kinds
    from duli.evaluation.predict import onnx_logits
    from duli.preparation.prepared.parquet import examples
    from duli.tasks.classification.targets.targets import Targets

    facts, labels, probabilities = _evaluated()
    kind = kinds.prepared(files.read_json(ROOT / "data/prepared/preprocessing.json"))
    targets = Targets.prepared(files.read_json(ROOT / "data/prepared/stats.json"))
    file = files.read_json(ROOT / "reports/quantization.json")["variants"][facts["variant"]]["file"]
    images, validation = examples(ROOT / "data/prepared/validation.parquet", kind, targets)
    temperature = _temperature(
        onnx_logits((ROOT / "models" / file).read_bytes(), images), validation
    )
    error = _calibration_error(probabilities[facts["variant"]], labels)
    return [
        result(
            "calibration_error_difference",
            [abs(facts["calibration_error"]["value"] - error)],
            "share",
            theirs=error,
        ),
        result(
            "temperature_difference",
            [abs(facts["temperature"]["fitted"] - temperature)],
            "",
            theirs=temperature,
        ),
    ]


def mcnemar() -> Results:
    """The p-value of McNemar's exact test less statsmodels', for every pair of losses and wins up
    to 60, and for some large ones.
    """
    from statsmodels.stats.contingency_tables import mcnemar as theirs

    from duli.tasks.classification.comparing.paired import Paired

    pairs = [(lost, won) for lost in range(61) for won in range(61)] + [
        (10**3, 900),
        (0, 10**4),
        (5000, 5100),
    ]
    differences = [
        abs(Paired(20_000, lost, won).p_value - theirs([[0, lost], [won, 0]], exact=True).pvalue)
        for lost, won in pairs
    ]
    return [result("mcnemar_difference", [max(differences)], "", pairs=len(pairs))]


def race() -> Results:
    """Rounds of eight promoters at once in which exactly one won and seven were told, and in which
    MLflow and champion.json agreed.
    """
    rounds = promotion_race.race(ROUNDS)
    return [
        result(f"race_{name}", [rounds[name]], "rounds", of=ROUNDS, racers=promotion_race.RACERS)
        for name in ("one_winner", "agreed", "logged")
    ]


def _calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error in 15 bins of equal mass (Nguyen and O'Connor 2015), as its
    definition says it.
    """
    answers = sorted(
        (float(row.max()), bool(row.argmax() == label))
        for row, label in zip(probabilities, labels, strict=True)
    )
    n, bins, error = len(answers), 15, 0.0
    for index in range(bins):
        part = answers[index * n // bins : (index + 1) * n // bins]
        confidence, right = (
            sum(sure for sure, _ in part) / len(part),
            sum(correct for _, correct in part) / len(part),
        )
        error += len(part) / n * abs(confidence - right)
    return error


def _temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of lowest cross-entropy, by L-BFGS on its inverse."""
    import torch

    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [inverse],
        max_iter=200,
        tolerance_grad=1e-14,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )
    scores, targets = torch.from_numpy(logits).double(), torch.from_numpy(labels)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(scores * inverse, targets)
        value.backward()
        return value

    optimizer.step(loss)
    return 1 / inverse.item()


def _evaluated() -> tuple[dict[str, Any], np.ndarray, dict[str, np.ndarray]]:
    """What evaluate wrote for this line: its numbers, the labels, and the probabilities of each
    variant, again in float64.
    """
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        folder = _copy(Path(name))
        _timed(folder)
        table = pq.read_table(folder / "reports/predictions.parquet")
        facts = files.read_json(folder / "reports/evaluation.json")
        probabilities = np.load(folder / "probabilities.npz")
        return (
            facts,
            np.array(table["label"], np.int64),
            {name: probabilities[name] for name in (*facts["variants"], facts["variant"])},
        )


def _copy(folder: Path) -> Path:
    """The inputs of evaluate, in a folder of their own."""
    for name in INPUTS:
        source, target = ROOT / name, folder / name
        if not source.exists():
            sys.exit(f"{name} is missing; run `dvc repro evaluate` first")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return folder


def _timed(folder: Path) -> dict[str, float]:
    """Runs the stage in a process of its own; gives the seconds of each part of `WORK`."""
    code = "from benchmarks.evaluate import stage; stage()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"evaluate failed:\n{done.stderr[-2000:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def stage() -> None:
    """The stage evaluate in this folder, with a clock around each function of `WORK`; prints what
    they read, as JSON.
    """
    from stages import evaluate

    read: dict[str, float] = {}

    def clocked(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            began = time.perf_counter()
            given = work(*arguments)
            read[WORK[name]] = time.perf_counter() - began
            if name == "_probabilities":
                np.savez("probabilities.npz", **given[0])  # the report keeps them in float32
            return given

        return run

    for name in WORK:
        setattr(evaluate, name, clocked(name, getattr(evaluate, name)))
    evaluate.main()
    print(json.dumps(read))


PARTS: dict[str, Callable[[], Results]] = {
    "seconds": seconds,
    "accuracy": accuracy,
    "calibration": calibration,
    "mcnemar": mcnemar,
    "race": race,
}


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
