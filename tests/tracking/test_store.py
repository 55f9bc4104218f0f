import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from duli.base.errors import DuliError, ParamsError
from duli.tracking.client import store as stores
from duli.tracking.client.store import Store
from tests.closure import ROOT

SIX_AT_ONCE = """
import os, sys
from pathlib import Path
from mlflow import MlflowClient
import mlflow.store.tracking.sqlalchemy_store
from duli.tracking.client.store import locate

store = locate({"DVC_ROOT": sys.argv[1]}, Path())
start, go = os.pipe()
children = []
for _ in range(6):
    child = os.fork()
    if not child:
        os.close(go)
        os.read(start, 1)  # until all are there
        os._exit(0 if store.experiment(store.client(), "digits") == "1" else 1)
    children.append(child)
os.close(go)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_the_repositorys_own_database_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    line = tmp_path / "pipelines/fashion"
    (line / ".dvc").mkdir(parents=True)  # a DVC project of its own, in the repository of all lines
    assert stores.locate({"DVC_ROOT": str(line)}, line) == stores.locate({}, tmp_path)
    (line / ".dvc").rmdir()  # as older lines are
    own = stores.locate({"MLFLOW_TRACKING_URI": " "}, line)
    assert own.tracking_uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert own.artifact_root == f"{tmp_path}/mlruns/artifacts"
    assert own == stores.locate({}, tmp_path)


def test_a_queued_experiment_writes_to_the_repository_not_to_its_copy(tmp_path: Path) -> None:
    copy = tmp_path / ".dvc/tmp/exps/tmp123"
    (copy / ".dvc").mkdir(parents=True)
    assert (
        stores.locate({"DVC_ROOT": str(tmp_path)}, copy).database == tmp_path / "mlruns/mlflow.db"
    )


def test_the_environment_names_another_store(tmp_path: Path) -> None:
    def located(uri: str) -> Store:
        return stores.locate({"DVC_ROOT": str(tmp_path), "MLFLOW_TRACKING_URI": uri}, Path("/"))

    assert located("http://server:5000") == Store(
        "http://server:5000", None, tmp_path / "mlruns/.lock"
    )
    assert located("sqlite:///mine/runs.db").database == tmp_path / "mine/runs.db"
    assert located("sqlite:////elsewhere/runs.db").artifact_root == "/elsewhere/artifacts"
    assert located("postgresql://host/runs").artifact_root == f"{tmp_path}/mlruns/artifacts"


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns"])
def test_the_file_store_is_refused_with_the_fix(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ParamsError, match=rf"MLFLOW_TRACKING_URI.*{re.escape(uri)}.*sqlite:"):
        stores.locate({"DVC_ROOT": str(tmp_path), "MLFLOW_TRACKING_URI": uri}, Path())


def test_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="in no DVC repository"):
        stores.locate({}, tmp_path)


def test_six_processes_open_a_new_database_at_once(tmp_path: Path) -> None:
    # it imports MLflow before Duli can say so
    quiet = {**os.environ, "MLFLOW_LOGGING_LEVEL": "WARNING"}
    done = subprocess.run(
        [sys.executable, "-c", SIX_AT_ONCE, str(tmp_path)],
        cwd=ROOT,
        env=quiet,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "mlruns").iterdir()) == [".lock", "mlflow.db"]


def test_a_creation_that_dies_leaves_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(database: str, _: str) -> None:
        Path(database.removeprefix("sqlite:///")).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", die)
    with pytest.raises(KeyboardInterrupt):
        stores.locate({"DVC_ROOT": str(tmp_path)}, Path()).client()
    assert [path.name for path in (tmp_path / "mlruns").iterdir()] == [".lock"]


def test_a_database_of_another_mlflow_is_refused_with_the_fix(store: Store) -> None:
    assert store.database is not None
    with sqlite3.connect(store.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()
    with pytest.raises(DuliError, match="mlflow db upgrade"):
        store.client()


def test_no_run_is_adopted_from_the_environment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "somebody's")
    store.client()
    assert "MLFLOW_RUN_ID" not in os.environ


def test_an_experiment_is_made_once_below_the_artifact_root_and_comes_back(store: Store) -> None:
    client = store.client()
    first = store.experiment(client, "digits")
    assert client.get_experiment(first).artifact_location == f"{store.artifact_root}/digits"
    client.delete_experiment(first)
    assert store.experiment(client, "digits") == first
    assert client.get_experiment(first).lifecycle_stage == "active"
