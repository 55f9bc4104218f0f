"""Where MLflow keeps runs and models, and the way in: the database is created once, MLflow stays quiet and at home."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from duli.errors import DuliError, ParamsError

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
SERVERS = ("http", "https", "databricks", "databricks-uc")


@dataclass(frozen=True)
class Store:
    """One MLflow store; `artifact_root` is None where a server decides where artifacts go."""

    tracking_uri: str
    artifact_root: str | None
    lock: Path  # whoever changes the store and must not race with others holds it: beside a database, else in the repository
    own: bool = False  # the repository's own database, which nobody else writes to

    @property
    def database(self) -> Path | None:
        """The SQLite file, if that is what the store is."""
        return Path(self.tracking_uri.removeprefix(SQLITE)) if self.tracking_uri.startswith(SQLITE) else None

    def client(self) -> "MlflowClient":
        """A client of the store, whose database is created if there is none; imports MLflow (1.5 s).

        Raises `DuliError` where an MLflow of another version made the database.
        """
        _tame_mlflow()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        if self.database:
            self._create(self.database)
        try:
            # The registry is named too, or MLFLOW_REGISTRY_URI could send models somewhere else than runs.
            client = MlflowClient(self.tracking_uri, self.tracking_uri)
            if self.database:
                client.search_experiments(max_results=1)  # the registry's half of MLflow does not check the schema
            return client
        except MlflowException as error:
            if "out-of-date database schema" not in str(error):
                raise
            raise DuliError(
                f"{self.database} was made by another version of MLflow; "
                f"back it up and run `mlflow db upgrade {self.tracking_uri}`, or move it away and run `duli track`"
            ) from None

    def experiment(self, client: "MlflowClient", name: str) -> str:
        """The id of the experiment `name`, created if there is none, with its artifacts below `artifact_root`."""
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
        """Raises `DuliError` for what MLflow and its database raise in the block where they do not answer, or are none."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError) as error:
            reason = " ".join(str(error).split())[:300]
            fix = (
                "if it is damaged, move it away and log your releases again with `duli track`"
                if self.database
                else "start it, or unset MLFLOW_TRACKING_URI to use mlruns/"
            )
            raise DuliError(f"MLflow at {self.tracking_uri} does not answer; {fix} ({reason})") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Waits for, and holds, the store's lock among the processes of this repository."""
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        with self.lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _create(self, database: Path) -> None:
        """Makes the database under a name of its own and renames it: whoever sees `database` sees a complete one.

        Six processes that open a new database at once fail five times, and one killed while the tables are made
        leaves a database that never opens again.
        """
        if database.is_dir():  # MLflow would try for two minutes
            raise DuliError(f"{database} is a folder; name a file with MLFLOW_TRACKING_URI, such as {SQLITE}mlruns/mlflow.db, or unset it")
        if database.exists():
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        with self.locked():
            if database.exists():
                return
            database.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=database.parent, prefix=".creating-") as folder:
                fresh = Path(folder) / database.name
                made = SqlAlchemyStore(f"{SQLITE}{fresh}", self.artifact_root)
                made.engine.dispose()
                fresh.replace(database)


def locate(environment: Mapping[str, str], folder: Path) -> Store:
    """The store for work done in `folder`: MLFLOW_TRACKING_URI wins, else it is the repository's own `mlruns/`.

    The repository is DVC_ROOT, which DVC gives its stages (a queued experiment works in a copy, but DVC_ROOT stays the
    repository), or the nearest parent with a `.dvc`. Raises `ParamsError` where there is neither, or for a URI of the
    file store, which MLflow has given up.
    """
    root = repository(environment, folder)
    own = root / "mlruns" / "mlflow.db"
    uri = environment.get("MLFLOW_TRACKING_URI", "").strip() or f"{SQLITE}{own}"
    if uri.startswith(SQLITE):
        # A relative path means the same database for every release line, whatever folder its stages run in.
        database = root / uri.removeprefix(SQLITE)
        return Store(f"{SQLITE}{database}", str(database.parent / "artifacts"), database.parent / ".lock", own=database == own)
    scheme = urlsplit(uri).scheme or ("databricks" if uri == "databricks" else "")
    if scheme in ("", "file"):
        raise ParamsError(
            f"MLFLOW_TRACKING_URI = {uri!r}: MLflow has given up its file store; "
            "give sqlite:///path/to/mlflow.db or the http(s) address of a server, or unset it"
        )
    return Store(uri, None if scheme in SERVERS else str(root / "mlruns" / "artifacts"), root / "mlruns" / ".lock")


def repository(environment: Mapping[str, str], folder: Path) -> Path:
    """The folder of the repository that work in `folder` belongs to; raises `ParamsError` where there is none.

    A further line, pipelines/NAME, is a DVC project of its own; its repository is that of all lines.
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
    raise ParamsError(f"{folder} is in no DVC repository (no .dvc folder above it); work in a clone of the repository")


def _tame_mlflow() -> None:
    """Before MLflow is imported: no telemetry, no run adopted from the environment, no minutes of silent retries."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar for each file of a few kB
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.pop("MLFLOW_RUN_ID", None)  # it would resume and rename that run
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
