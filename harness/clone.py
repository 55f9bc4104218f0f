"""A copy of this repository with a small line in it, for real git, DVC and MLflow."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from ruamel.yaml import YAML

from stages.__main__ import STAGES

ROOT = Path(__file__).resolve().parents[1]
ARTIFACTS = (  # where MLflow's database says where an artifact lies: from the root of the disk on
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
DRIFT = {
    "windows": 3,
    "needed": 2,
    "false_alarms": 0.1,
    "min_examples": 90,
    "reference": 1000,
    "resamples": 200,
    "seed": 0,
}
# As small as a line can be that still learns something from more examples.
LEARNS: dict[str, dict[str, Any]] = {
    "train": {"epochs": 4, "batch": 32, "hardest": 1.0},
    "quantize": {"variants": ["fp16"], "calibration_rows": 32},
    "evaluate": {
        "robustness": {
            "seed": 0,
            "corruptions": {"examples": 20},
            "pgd": {"epsilons": [8], "steps": 1, "examples": 10},
        }
    },
    "benchmark": {"seconds": 0.2, "batches": [1, 8]},
    "report": {"draws": 100},
    "gates": {
        "require": {
            "data_valid": {"measure": "validation.success", "min": 1},
            "accuracy": {"measure": "business.accuracy", "min": 0.6},
        }
    },
    "promotion": {"not_worse_by": 0.02},
    "retrain": {"max_age_days": 30, "drift": DRIFT, "worst_score": 0.5, "min_examples": 100},
}


class Clone:
    """A copy of the repository as it is now, under git and DVC, in a folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.environment = folder, environment

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DVC_", "MLFLOW_", "GIT_"))
        }
        env = {
            **own,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            **self.environment,
        }
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True)
        assert not check or done.returncode == 0, (
            f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done

    def duli(self, *arguments: str) -> str:
        return self.run(
            sys.executable, "-c", "from duli.cli.main import main; main()", *arguments
        ).stdout

    def repro(self) -> list[str]:
        """The stages that `dvc repro` ran; those restored from the run cache did not run."""
        return re.findall(r"Running stage '(\w+)'", self.run("dvc", "repro").stdout)

    def run_stages(self, last: str) -> None:
        """Runs the stages up to `last` one after the other in a single process, and lets DVC record
        what they made: nearly all the time of a small line is imports.
        """
        stages = STAGES[: STAGES.index(last) + 1]
        run = "import sys; from stages.__main__ import main; sys.exit(any(main([name]) for name in"
        self.run(sys.executable, "-c", f"{run} sys.argv[1:]))", *stages)
        self.run("dvc", "commit", "--force", "--quiet", *stages)

    def set(self, section: str, key: str, value: Any) -> None:
        path, yaml = self.folder / "params.yaml", YAML()
        params, text = yaml.load(path.read_text()), io.StringIO()
        params[section][key] = value
        yaml.dump(params, text)
        path.write_text(text.getvalue())

    def json(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())

    def runs(self, experiment: str) -> list[tuple[str, str]]:
        """Id and status of the runs of an experiment, as they stand in MLflow's database."""
        with closing(connect(self.folder / "mlruns/mlflow.db")) as database:
            query = (
                "select run_uuid, status from runs join experiments using (experiment_id) where"
                " experiments.name = ?"
            )
            return list(database.execute(query, (experiment,)))

    def copy(self, folder: Path) -> "Clone":
        """Another one as this, with artifacts of its own."""
        return Clone(copied(self.folder, folder))

    def forget(self, stage: str) -> None:
        """Removes what the stage made, here and from DVC's cache, so that nothing but a run brings
        it back.
        """
        shutil.rmtree(self.folder / ".dvc/cache/runs")
        for out in YAML(typ="safe").load(self.folder / "dvc.lock")["stages"][stage]["outs"]:
            (self.folder / out["path"]).unlink()
            (self.folder / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]).unlink(
                missing_ok=True
            )

    def versions(self) -> list[int]:
        with closing(connect(self.folder / "mlruns/mlflow.db")) as database:
            return [
                row[0]
                for row in database.execute("select version from model_versions order by version")
            ]


def copy_repository(folder: Path) -> None:
    """Copies what git knows, or would take, without what was built."""
    names = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)


def commit(clone: Clone) -> Clone:
    """The clone, with all of it in a commit."""
    clone.run("git", "init", "-q")
    clone.run("git", "add", "-A")
    clone.run("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "clone")
    return clone


def make_clone(folder: Path, mnist: Path) -> Clone:
    copy_repository(folder)
    make_line(folder, mnist)
    return commit(Clone(folder))


def make_line(folder: Path, mnist: Path, **knobs: Any) -> Path:
    """Writes params.yaml into `folder`; `data__local=...` turns data.local. Bounds suit a subset of
    a few hundred digits.
    """
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["data"]["local"] = str(mnist)
    small = {
        "prepare__limit": 600,
        "prepare__validation_share": 0.3,
        "validate__min_examples": 1000,
        "validate__class_share": {"min": 0.04, "max": 0.2},
        "model__fastconv": {"stem": 8, "blocks": [[8], [8]]},
        "train__epochs": 1,
        "quantize__calibration_rows": 64,
        "quantize__variants": ["int8", "fp16"],
        "quantize__distilled": {"epochs": 1, "model": {"name": "mlp", "mlp": {"widths": [10]}}},
        "evaluate__slices": {"min_examples": 100, "quantiles": 4},
        "evaluate__robustness": {
            "seed": 0,
            "corruptions": {"examples": 100},
            "pgd": {"epsilons": [8, 40], "steps": 3, "examples": 60},
        },
        "benchmark__seconds": 0.5,
        "report__draws": 200,
    }
    for key, value in {**small, **knobs}.items():
        section, name = key.split("__", 1)
        *parents, last = name.split("__")
        place = params[section]
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    text = io.StringIO()
    yaml.dump(params, text)
    (folder / "params.yaml").write_text(text.getvalue())
    return folder


def copied(line: Path, folder: Path) -> Path:
    """`folder`, now a copy of the line with its MLflow store; the copy's artifacts are its own."""
    shutil.copytree(line, folder, symlinks=True, dirs_exist_ok=True)
    with closing(connect(folder / "mlruns/mlflow.db")) as database, database:
        for table, column in ARTIFACTS:
            database.execute(
                f"update {table} set {column} = replace({column}, ?, ?)", (f"{line}/", f"{folder}/")
            )
    return folder
