"""The MLflow store: the database is created once, and MLflow stays quiet and local."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from duli.base.errors import DuliError, ParamsError
from duli.tracking.client import sqlite

if TYPE_CHECKING:
    from mlflow import MlflowClient

SERVERS = ("http", "https", "databricks", "databricks-uc")
PATIENCE = 10.0  # seconds until a server has to answer for the first time
PATIENCE_LOCKED = 60.0  # seconds to wait for other processes of this repository


@dataclass(frozen=True)
class Store:
    """An MLflow store; `artifact_root` is None if a server decides where artifacts go."""

    tracking_uri: str
    artifact_root: str | None
    # whoever changes the store and must not race with others holds it: beside a database, else in
    # the repository
    lock: Path
    own: bool = False  # the repository's own database, which nobody else writes to

    @property
    def database(self) -> Path | None:
        """The SQLite file, if that is what the store is."""
        return sqlite.file(self.tracking_uri)

    def client(self) -> "MlflowClient":
        """A client of the store, whose database is created if there is none; imports MLflow (1.5
        s).

        The repository's own database finds its artifacts again after the checkout has moved. Raises
        `DuliError` where the store cannot be used: a database that is damaged, locked or of another
        version of MLflow, a server that does not answer.
        """
        _tame_mlflow()
        # before all else of MLflow, whose modules import each other in a circle
        from mlflow import MlflowClient

        if self.database:
            self._create(self.database)
            sqlite.prepare(
                self.database, self.database.with_name("artifacts") if self.own else None
            )
        with self.answering():
            if self.artifact_root is None:
                if self.tracking_uri.startswith("http"):
                    _reach(self.tracking_uri)
            else:
                from mlflow.store.db import utils

                utils.MAX_RETRY_COUNT = 1  # not ten, over two minutes
            # The registry is named too, or MLFLOW_REGISTRY_URI could send models somewhere else
            # than runs.
            client = MlflowClient(self.tracking_uri, self.tracking_uri)
            if self.artifact_root is not None:
                # the registry's half of MLflow does not check the schema
                client.search_experiments(max_results=1)
            return client

    def experiment(self, client: "MlflowClient", name: str) -> str:
        """The id of the experiment `name`, created if there is none, with its artifacts below
        `artifact_root`.
        """
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(name)
        if found is None:
            location = f"{self.artifact_root}/{name}" if self.artifact_root else None
            try:
                return str(client.create_experiment(name, artifact_location=location))
            except MlflowException:  # somebody else was faster
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Raises `DuliError` for what MLflow and its database raise in the block where they do not
        answer, or are none.
        """
        try:
            yield
        except DuliError:
            raise
        except Exception as error:  # noqa: BLE001 -- a damaged database shows itself by any
            if self.database and (fault := sqlite.fault(self.database)):
                raise DuliError(f"MLflow at {self.database} does not answer: {fault}") from None
            raise self._told(error) from None

    def _told(self, error: Exception) -> Exception:
        """Our error for an error that MLflow raised; the error itself if it is not an answer of the
        store.
        """
        from alembic.util import CommandError
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        if self.database and (
            isinstance(error, CommandError) or "out-of-date database schema" in str(error)
        ):
            return sqlite.other_version(self.database)
        if isinstance(error, ModuleNotFoundError) and self.artifact_root and not self.database:
            return DuliError(
                f"MLflow at {self.tracking_uri} needs the Python package '{error.name}'; install"
                " it, or unset MLFLOW_TRACKING_URI"
            )
        if not isinstance(error, (CommandError, MlflowException, SQLAlchemyError)):
            return error
        fix = (
            "if it is damaged, move it away and log your releases again with `duli track`"
            if self.database
            else "start it, or unset MLFLOW_TRACKING_URI to use mlruns/"
        )
        reason = " ".join(str(error).split())[:300]
        return DuliError(f"MLflow at {self.tracking_uri} does not answer; {fix} ({reason})")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Waits for, and holds, the store's lock among the processes of this repository.

        Raises `DuliError` if the lock cannot be written or another process does not give it
        back.
        """
        lock = FileLock(self.lock, PATIENCE_LOCKED, fallback_to_soft=False)
        try:
            held = lock.acquire()
        except Timeout:
            raise DuliError(
                f"another process has held {self.lock} for {PATIENCE_LOCKED:.0f} s; "
                "wait for that one or end it (`fuser` names it)"
            ) from None
        except OSError as error:
            folder = self.lock.parent
            raise DuliError(
                f"{self.lock} cannot be written ({error.strerror}); make {folder} a folder that you"
                " can write to"
            ) from None
        with held:
            yield

    def _create(self, database: Path) -> None:
        """Makes the database under a name of its own and renames it: whoever sees `database` sees a
        complete one.

        Six processes that open a new database at once fail five times, and one killed while the
        tables are made leaves a database that never opens again.
        """
        if database.is_dir():  # MLflow would try for two minutes
            raise DuliError(
                f"{database} is a folder; name a file with MLFLOW_TRACKING_URI, such as"
                f" {sqlite.PREFIX}mlruns/mlflow.db, or unset it"
            )
        if database.exists():
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        with self.locked():
            if database.exists():
                return
            database.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=database.parent, prefix=".creating-") as folder:
                fresh = Path(folder) / database.name
                made = SqlAlchemyStore(sqlite.address(fresh), self.artifact_root)
                made.engine.dispose()
                fresh.replace(database)


def locate(environment: Mapping[str, str], folder: Path) -> Store:
    """The store for work done in `folder`: MLFLOW_TRACKING_URI wins, else it is the repository's
    own `mlruns/`.

    The repository is DVC_ROOT, which DVC gives its stages (a queued experiment works in a copy, but
    DVC_ROOT stays the repository), or the nearest parent with a `.dvc`. Raises `ParamsError` if
    there is neither, or for a URI of the file store, which MLflow has given up.
    """
    root = repository(environment, folder)
    own = root / "mlruns" / "mlflow.db"
    uri = environment.get("MLFLOW_TRACKING_URI", "").strip()
    named = sqlite.file(uri) if uri else own
    if named is not None:
        # A relative path means the same database for every release line, whatever folder its stages
        # run in.
        database = root / named
        artifacts = sqlite.location(database.with_name("artifacts"))
        return Store(
            sqlite.address(database), artifacts, database.with_name(".lock"), own=database == own
        )
    scheme = urlsplit(uri).scheme or ("databricks" if uri == "databricks" else "")
    if scheme in ("", "file"):
        raise ParamsError(
            f"MLFLOW_TRACKING_URI = {uri!r}: MLflow has given up its file store; "
            "give sqlite:///path/to/mlflow.db or the http(s) address of a server, or unset it"
        )
    return Store(
        uri,
        None if scheme in SERVERS else sqlite.location(root / "mlruns" / "artifacts"),
        root / "mlruns" / ".lock",
    )


def repository(environment: Mapping[str, str], folder: Path) -> Path:
    """The folder of the repository that work in `folder` belongs to; raises `ParamsError` if
    there is none.

    A further line, pipelines/NAME, is a DVC project of its own; its repository is that of all
    lines.
    """
    project = _project(environment, folder)
    above = project.parent.parent
    return above if project.parent.name == "pipelines" and (above / ".dvc").is_dir() else project


def _project(environment: Mapping[str, str], folder: Path) -> Path:
    if environment.get("DVC_ROOT"):
        return Path(environment["DVC_ROOT"]).resolve()
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / ".dvc").is_dir():
            return candidate
    raise ParamsError(
        f"{folder} is in no DVC repository (no .dvc folder above it); work in a clone of the"
        " repository"
    )


def _tame_mlflow() -> None:
    """Before MLflow is imported: no telemetry, no run adopted from the environment, no minutes of
    silent retries.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # a bar for each file of a few kB
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.pop("MLFLOW_RUN_ID", None)  # it would resume and rename that run
    # it also logs the traceback of each error that it raises
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")


def _reach(server: str) -> None:
    """Asks a server whether it is there, once and for a short time: MLflow's own calls are tried
    again for minutes.
    """
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    creds = get_default_host_creds(server)
    http_request(creds, "/health", "GET", max_retries=0, timeout=PATIENCE, raise_on_status=False)
