"""Logs the release in MLflow from files: one run per distinct result, one model version per
content, alias challenger.
"""

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from duli.base import files, rooms
from duli.base.errors import DataError
from duli.base.params import Params
from duli.packaging import commit
from duli.packaging.manifest import OF_THE_COMMIT
from duli.packaging.signing import SIGNATURE
from duli.tracking.client import process, store
from duli.tracking.logged import recorded, release

STATS = "data/prepared/stats.json"
HISTORY = "models/history.csv"
METRICS = ("validation", "train", "evaluation", "quantization", "benchmark", "business", "gates")
PARETO = "reports/pareto.csv"
ASSUMPTIONS = "reports/assumptions.csv"
# what a later release is compared with, example by example
PREDICTIONS = "reports/predictions.parquet"
PAGES = (
    "reports/report.html",
    "reports/report.zh.html",
    "reports/report.md",
    "reports/evaluation.html",
    "reports/benchmark.html",
)
CONTEXTS = {"train": "training", "validation": "validation", "test": "evaluation"}
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}


def main() -> None:
    logged = record(Path(), os.environ)
    # Nobody depends on this file: DVC's run cache brings it back with the release it belongs to.
    files.write_json(
        "reports/release_run.json",
        {
            "release": logged.release,
            "experiment": logged.experiment,
            "run_id": logged.run_id,
            "registered_model": logged.registered_model,
            "version": logged.version,
        },
    )
    print(
        f"release {logged.release[:8]} is run {logged.run_id}"
        f" ({'new' if logged.created else 'known'}); {logged.registered_model} version"
        f" {logged.version} ({'new' if logged.registered else 'known'}) is the {release.ALIAS}"
    )


def record(line: Path, environment: Mapping[str, str]) -> release.Logged:
    """Makes sure that the release whose files lie in the folder `line` stands in MLflow, once;
    writes no file there.
    """
    return release.log(store.locate(environment, line), gather(line, environment))


def gather(line: Path, environment: Mapping[str, str]) -> release.Release:
    """The release that the files of a line make up; raises `DataError` if one is missing or they
    do not belong together.
    """
    manifest = files.read_json(line / "dist/manifest.json")
    reports = {name: files.read_json(line / f"reports/{name}.json") for name in METRICS}
    stats = files.read_json(line / STATS)
    task = Params(line / "params.yaml").values["task"]
    lock = _lock(line)
    _of_one_run(line, lock)
    training = files.read_json(line / "reports/resources/train.json")
    return release.Release(
        name=manifest["name"],
        version=manifest["version"],
        files=_identity(line),
        params=_params(line, lock),
        reports={**reports, "resources": {"train": training}},
        history=_rows(line / HISTORY),
        datasets=[
            release.Dataset(
                f"{stats['dataset']}.{split}",
                facts["digest"],
                f"data/prepared/{split}.parquet",
                facts["examples"],
                use,
            )
            for split, use in CONTEXTS.items()
            if (facts := stats["splits"].get(split))
        ],
        artifacts={
            "": [
                *(line / page for page in PAGES if page.endswith(".html")),
                line / "dist/MODEL_CARD.md",
                line / "dist/manifest.json",
            ],
            "evaluation": [line / table for table in _tables(line)],
            "reports": [
                *(line / f"reports/{name}.json" for name in METRICS),
                line / ASSUMPTIONS,
                line / PREDICTIONS,
            ],
            **_folders(line, _dist(line)),
            # for other trainings to start from
            "weights": [line / "models/model.json", line / "models/model.safetensors"],
        },
        model=_model(line, manifest, reports["quantization"]),
        wheel=line / "dist" / manifest["wheel"]["file"] if "wheel" in manifest else None,
        task=rooms.task(task, "task"),
        answers=rooms.task(task, "releasing.signature").of_answers,
        card=(line / "dist/MODEL_CARD.md").read_text(encoding="utf-8"),
        tags={
            "duli.version": manifest["version"],
            "duli.verdict": reports["gates"]["verdict"],
            **(
                {"duli.training_run": training["mlflow_run_id"]}
                if training.get("mlflow_run_id")
                else {}
            ),
            **(
                {"duli.dvc_lock": files.sha256(json.dumps(lock, sort_keys=True).encode())}
                if lock
                else {}
            ),
            **_ran(line, lock, environment),
            **_commit(line, lock),
        },
    )


def _identity(line: Path) -> dict[str, str]:
    """The content of the release by SHA-256, without params and sidecars, so that the same result
    is the same release.

    Nor the signature: ECDSA draws a random number, so that each is another one. Nor what names the
    commit: the provenance and the bill of materials beside the wheel.
    """
    reports = [f"reports/{name}.json" for name in METRICS]
    volatile = {f"dist/{name}" for name in (SIGNATURE, *OF_THE_COMMIT)}
    dist = [path for path in _dist(line) if path not in volatile]
    return {
        path: files.sha256(line / path)
        for path in (
            *dist,
            *reports,
            *_tables(line),
            *PAGES,
            ASSUMPTIONS,
            PREDICTIONS,
            STATS,
            HISTORY,
        )
    }


def _tables(line: Path) -> list[str]:
    """The tables behind the plots: those of the task's judgement, and the variants' costs."""
    judged = (line / "reports/evaluation").glob("*.csv")
    return [*sorted(path.relative_to(line).as_posix() for path in judged), PARETO]


def _folders(line: Path, paths: list[str]) -> dict[str, list[Path]]:
    """`paths` of the line by the folder that each lies in."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(str(Path(path).parent), []).append(line / path)
    return found


def _dist(line: Path) -> list[str]:
    return sorted(
        path.relative_to(line).as_posix() for path in (line / "dist").rglob("*") if path.is_file()
    )


def _model(line: Path, manifest: dict[str, Any], quantization: dict[str, Any]) -> Path:
    path: Path = line / "models" / quantization["variants"][manifest["model"]["variant"]]["file"]
    if files.sha256(path) != manifest["model"]["sha256"]:
        raise DataError(
            f"{path} is not the model in {line / 'dist'}; run `dvc repro`, which packs the one that"
            " was measured"
        )
    return path


def _lock(line: Path) -> dict[str, Any]:
    """The stages in dvc.lock but for this one: what DVC knows of how these files were made; {}
    without DVC.
    """
    return {name: stage for name, stage in recorded.stages(line).items() if name != "track"}


def _of_one_run(line: Path, lock: dict[str, Any]) -> None:
    """Raises `DataError` if a file is not the one that dvc.lock was written for: numbers of two
    runs are no release.
    """
    for stage, path in recorded.changed(lock, line):
        raise DataError(
            f"{line / path} is not as the stage '{stage}' in dvc.lock knows it; run `dvc repro`,"
            " which makes one release of all"
        )


def _params(line: Path, lock: dict[str, Any]) -> dict[str, Any]:
    """The params these files were made with, which params.yaml may have left behind since; itself
    where DVC knows none.
    """
    known = {
        key: value
        for stage in lock.values()
        for key, value in stage.get("params", {}).get("params.yaml", {}).items()
    }
    return known or dict(Params(line / "params.yaml").values)


def _ran(line: Path, lock: dict[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """The stages that ran in this `dvc repro` and those that came from its caches; empty unless DVC
    started this.
    """
    dvc = _caller() if environment.get("DVC_STAGE") else None
    if dvc is None:
        return {}
    ran = []
    for stage in lock:
        path = line / f"reports/resources/{stage}.json"
        if path.exists() and files.read_json(path)["started"] >= dvc:
            ran.append(stage)
    return {
        "duli.stages_ran": ",".join(ran),
        "duli.stages_cached": ",".join(stage for stage in lock if stage not in ran),
    }


def _caller() -> float | None:
    """When the process that asked for this stage started; DVC starts stages through a shell, which
    is not meant.
    """
    for pid in _ancestors(os.getpid()):
        if process.command(pid) not in SHELLS:
            return process.started(pid)
    return None


def _ancestors(pid: int) -> Iterator[int]:
    while (above := process.parent(pid)) is not None:
        yield above
        pid = above


def _commit(line: Path, lock: dict[str, Any]) -> dict[str, str]:
    """The commit of the code these files were made by, and whether there is more than that;
    dvc.lock apart, which this very run writes.

    Nothing where the code has changed since: which commit it was at then nobody knows.
    """
    found = commit.of(line)
    if found is None or recorded.code_changed(lock, line):
        return {}
    return {
        "mlflow.source.git.commit": found.sha,
        "duli.git_dirty": "true" if found.dirty else "false",
    }


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; run `dvc repro`, which makes it") from None
