"""A line to release and promote in."""

from pathlib import Path

import pytest

from duli.packaging import environment
from harness.clone import copied
from tests.cli.released import Line
from tests.packaging.tiny import unpack
from tests.tracking.conftest import migrated  # noqa: F401


def _enter(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("DVC_ROOT", str(folder))
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setattr(environment, "install", unpack)


@pytest.fixture
def line(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Line:  # noqa: F811
    """An empty line as the current folder."""
    _enter(tmp_path, monkeypatch)
    return Line(tmp_path, migrated)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:  # noqa: F811
    """A line with one release, to be copied."""
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        _enter(folder, patch)
        Line(folder, migrated).release()
    return folder


@pytest.fixture
def released(line: Line, template: Path) -> Line:
    """The current folder, a line with one release."""
    copied(template, line.folder)
    return line
