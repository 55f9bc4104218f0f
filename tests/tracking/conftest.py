"""MLflow stores to write to: the tables are made once, for a new database costs seconds."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from duli.tracking.client import store as stores
from duli.tracking.client.store import Store
from tests.shared import once


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables and nothing in them; one, though several test modules import
    this fixture.
    """

    def located(root: Path) -> Store:
        return stores.locate({"DVC_ROOT": str(root)}, Path())

    database = located(
        once(tmp_path_factory, "migrated", lambda root: located(root).client())
    ).database
    assert database is not None
    return database


@pytest.fixture(scope="session")
def fresh(migrated: Path) -> Callable[[Path], Store]:
    """Makes the repository at a folder one with an empty store."""

    def make(root: Path) -> Store:
        store = stores.locate({"DVC_ROOT": str(root)}, Path())
        assert store.database is not None
        store.database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated, store.database)
        return store

    return make


@pytest.fixture
def store(tmp_path: Path, fresh: Callable[[Path], Store]) -> Store:
    """An empty store of its own."""
    return fresh(tmp_path)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store on a server that does not run."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return stores.locate(
        {"DVC_ROOT": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}, Path()
    )
