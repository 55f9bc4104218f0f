"""A line to release and promote in."""

from pathlib import Path

import pytest

from duli.packaging import environment
from tests.cli.released import Line
from tests.packaging.tiny import unpack
from tests.tracking.conftest import migrated  # noqa: F401


@pytest.fixture
def line(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Line:  # noqa: F811
    """An empty line as the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(environment, "install", unpack)
    return Line(tmp_path, migrated)
