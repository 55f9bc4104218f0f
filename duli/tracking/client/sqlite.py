"""The SQLite file of an MLflow store: its address, whether it is fit for use, and its paths after
the checkout has moved.
"""

import contextlib
import re
import shlex
import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote

from duli.base.errors import DuliError, ParamsError

PREFIX = "sqlite:///"
PATIENCE = 5.0  # seconds to wait while another process holds the database
# Where MLflow keeps the places of artifacts, each an absolute one.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
FIXES = {
    "SQLITE_BUSY": (
        "another process holds it locked; wait for that one or end it (`fuser` names it), then try"
        " again"
    ),
    "SQLITE_CANTOPEN": (
        "it cannot be opened; make the file and its folder readable and writable for you"
    ),
    "SQLITE_READONLY": "it cannot be written to; make the file and its folder writable for you",
    "SQLITE_FULL": "the disk is full; free some space",
}
DAMAGED = (
    "it is damaged, or no database at all; name another with MLFLOW_TRACKING_URI, or move it away:"
    " then `duli track` in each line logs its release again"
)


def address(database: Path) -> str:
    """The URL by which SQLAlchemy and MLflow open the file, whatever its folders are called.

    Raises `ParamsError` if a name is not UTF-8, which no URL can say.
    """
    quoted = _quoted(database)
    # The driver is named because MLflow makes the folders of an address that begins with
    # sqlite:///, and does not decode it.
    return f"{PREFIX}{database}" if quoted == str(database) else f"sqlite+pysqlite:///{quoted}"


def location(folder: Path) -> str:
    """A folder of artifacts as MLflow takes it; the path itself where nothing in it needs an
    escape.
    """
    quoted = _quoted(folder)
    return quoted if quoted == str(folder) else f"file://{quoted}"


def file(uri: str) -> Path | None:
    """The file that a URL names; None for another kind of store. Raises `ParamsError` if it
    names none.
    """
    if not re.match(r"sqlite(\+\w+)?:", uri):
        return None
    path = unquote(uri.partition(":///")[2].partition("?")[0])
    if path in ("", ":memory:"):
        raise ParamsError(
            f"MLFLOW_TRACKING_URI = {uri!r} names no file; give {PREFIX}path/to/mlflow.db, or"
            " unset it"
        )
    return Path(path)


def prepare(database: Path, artifacts: Path | None) -> None:
    """Raises `DuliError` unless the file is an MLflow database that can be written to now.

    `artifacts` is the folder that belongs to it: what it recorded of that folder at a former place
    is set to this one.
    """
    if not database.stat().st_size:
        raise DuliError(
            f"{database} is empty; delete it, then `duli track` in each line logs its release again"
        )
    try:
        uri = f"{database.as_uri()}?mode=rw"
        with contextlib.closing(
            sqlite3.connect(uri, PATIENCE, isolation_level=None, uri=True)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            tables = {
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                )
            }
            if not tables >= {"alembic_version", *(table for table, _ in PLACES)}:
                raise DuliError(
                    f"{database} is no database of this MLflow; name another with"
                    " MLFLOW_TRACKING_URI, or move it away"
                )
            if artifacts is not None:
                _follow(connection, artifacts)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise DuliError(
            f"MLflow at {database} does not answer: {FIXES.get(_name(error), DAMAGED)} ({error})"
        ) from None


def fault(database: Path) -> str | None:
    """The damage of the file and the fix, after reading all of it; None if it is sound."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{database.as_uri()}?mode=ro", PATIENCE, uri=True)
        ) as connection:
            [found, *_] = connection.execute("PRAGMA quick_check").fetchone()
        return None if found == "ok" else DAMAGED
    except sqlite3.Error as error:
        return FIXES.get(_name(error), DAMAGED)


def other_version(database: Path) -> DuliError:
    """The error for a database of an older or newer MLflow."""
    return DuliError(
        f"{database} was made by another version of MLflow; if by an older one, back it up and run"
        f" `mlflow db upgrade {shlex.quote(address(database))}`; else move it away and run `duli"
        " track`"
    )


def _follow(connection: sqlite3.Connection, artifacts: Path) -> None:
    """Rewrites every place below a former `artifacts` folder: that of a checkout that was moved,
    copied or mounted elsewhere.

    A place of another form is somebody's choice and stays; so does one in the folder of another
    checkout that holds what this one does not.
    """
    here, ending = location(artifacts), f"/{_quoted(Path(artifacts.parent.name, artifacts.name))}/"
    places = dict(connection.execute("SELECT experiment_id, artifact_location FROM experiments"))
    # the experiment that MLflow makes with the database
    recorded = (places.get(0) or "").rpartition(ending)[0]
    for place in places.values():
        root, _, name = (place or "").rpartition(ending)
        there, moved = (
            Path(unquote(place.removeprefix("file://"))) if root else Path(),
            artifacts / unquote(name),
        )
        if not root.startswith(("/", "file:///")) or place == f"{here}/{name}":
            continue
        if root != recorded and there.exists() and not moved.exists():
            continue
        for table, column in PLACES:
            connection.execute(
                f"UPDATE {table} SET {column} = :here || substr({column}, length(:there) + 1) "  # noqa: S608 -- PLACES
                f"WHERE {column} = :there OR substr({column}, 1, length(:there) + 1) = :there"
                " || '/'",
                {"here": f"{here}/{name}", "there": place},
            )


def _quoted(path: Path) -> str:
    try:
        return quote(str(path))
    except UnicodeEncodeError:
        raise ParamsError(
            f"{str(path)!r}: MLflow takes no path that is not UTF-8; rename the folder"
        ) from None


def _name(error: sqlite3.Error) -> str:
    """SQLite's own name of an error, without what it says more exactly
    (SQLITE_READONLY_DIRECTORY).
    """
    return "_".join(str(getattr(error, "sqlite_errorname", "")).split("_")[:2])
