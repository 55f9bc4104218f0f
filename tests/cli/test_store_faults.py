"""A store that cannot be used: every command that needs it says so in one line with the fix, at
once.
"""

import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from duli.base.errors import EXIT_USER_ERROR
from duli.base.outcome import exit_code
from duli.cli import promotion, releases
from duli.cli.registered import Registered
from tests.cli.released import Line

COMMANDS: dict[str, Callable[[], Any]] = {
    "track": releases.track,
    "releases": releases.releases,
    "promote": lambda: promotion.promote(None, None, rejudge=False, merged=False),
    "rollback": promotion.rollback,
    "ui": releases.ui,
    "retrain": Registered,  # what it opens the store by, after a training
}


def _truncate(database: Path) -> None:
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2 + 100)


def _scramble(database: Path) -> None:
    """All but the first page, which has SQLite's header."""
    content = database.read_bytes()
    database.write_bytes(content[:4096] + bytes(255 - byte for byte in content[4096:]))


def _folder(database: Path) -> None:
    database.unlink()
    database.mkdir()


def _foreign(database: Path) -> None:
    database.unlink()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE sums (a)")
    connection.close()


def _newer(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    connection.close()


def _no_folder(database: Path) -> None:
    shutil.rmtree(database.parent)
    database.parent.write_text("a file")


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "random bytes": (lambda database: database.write_bytes(bytes(range(256)) * 40), "damaged"),
    "cut": (_truncate, "damaged"),
    "scrambled": (_scramble, "damaged"),
    "empty": (lambda database: database.write_bytes(b""), "empty; delete it"),
    "a folder": (_folder, "is a folder"),
    "another database": (_foreign, "no database of this MLflow"),
    "a newer MLflow": (_newer, "another version of MLflow"),
    "no folder": (_no_folder, "mlruns"),
}


def _says(command: str, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr with which a command ends at once, exit code 2."""
    capfd.readouterr()
    started = time.perf_counter()
    code = exit_code("duli", COMMANDS[command])
    out, error = capfd.readouterr()
    assert (code, out, error.count("\n")) == (EXIT_USER_ERROR, "", 1), (out, error)
    assert time.perf_counter() - started < 15
    return error


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_one_line_with_the_fix(
    released: Line, capfd: pytest.CaptureFixture[str], damage: str
) -> None:
    do, fact = DAMAGES[damage]
    database = released.store.database
    assert database is not None
    do(database)
    before = database.read_bytes() if database.is_file() else None
    for command in COMMANDS:
        said = _says(command, capfd)
        assert fact in said, command
        assert str(database.parent) in said, command
    assert (database.read_bytes() if database.is_file() else None) == before


@contextmanager
def _held(database: Path) -> Iterator[None]:
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


def test_a_database_that_another_process_holds(
    released: Line, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duli.tracking.client.sqlite.PATIENCE", 0.2)
    database = released.store.database
    assert database is not None
    with _held(database):
        for command in COMMANDS:
            assert "another process holds it locked" in _says(command, capfd), command
    releases.track()


def test_a_lock_that_another_process_keeps(
    released: Line, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duli.tracking.client.store.PATIENCE_LOCKED", 0.2)
    with released.store.locked():
        for command in ("track", "releases", "promote", "rollback"):
            assert str(released.store.lock) in _says(command, capfd), command


@contextmanager
def _silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_server_that_does_not_answer(
    released: Line, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duli.tracking.client.store.PATIENCE", 0.2)
    with _silent() as silent:
        for address in (silent, "http://127.0.0.1:9", "http://nowhere.invalid:5000"):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
            for command in COMMANDS:
                said = _says(command, capfd)
                assert f"MLflow at {address} does not answer; start it" in said, command


@pytest.mark.parametrize(
    ("uri", "fact"),
    [
        ("http://", "does not answer"),
        ("http://host:port", "does not answer"),
        ("gopher://host/x", "does not answer"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://127.0.0.1:9/runs", "needs the Python package"),
        ("./mlruns", "file store"),
    ],
)
def test_an_address_that_is_none(
    released: Line,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    fact: str,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for command in COMMANDS:
        assert fact in _says(command, capfd), command
