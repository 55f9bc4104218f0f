"""What costs seconds to make and is only read afterwards is made once for all workers of a test
run.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from filelock import FileLock

ARTIFACTS = (  # where MLflow's database says where an artifact lies: from the root of the disk on
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of this test run, which `make` has filled; the first worker that asks does
    it and the others wait for it.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, made = base / name, base / f"{name}.made"
    with FileLock(base / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed half way
            folder.mkdir()
            make(folder)
            made.touch()
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
