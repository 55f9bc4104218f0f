"""A line to release and promote in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from duli.cli import promotion
from duli.packaging import environment
from harness.clone import copied
from tests.cli.released import Line
from tests.packaging.tiny import unpack
from tests.shared import once
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


Begun = Callable[[str, Callable[[Line], object]], Line]


@pytest.fixture
def begun(line: Line, tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Begun:  # noqa: F811
    """Gives the current folder, a line after what a function does to it.

    The function is called once for all tests, and each test has a copy.
    """

    def begin(name: str, play: Callable[[Line], object]) -> Line:
        def make(folder: Path) -> None:
            with pytest.MonkeyPatch.context() as patch:
                _enter(folder, patch)
                play(Line(folder, migrated))

        copied(once(tmp_path_factory, name, make), line.folder)
        return line

    return begin


@pytest.fixture
def released(begun: Begun) -> Line:
    """A line with one release."""
    return begun("released", Line.release)


@pytest.fixture
def promoted(begun: Begun) -> Line:
    """A line whose only release, of bias 7, is the champion."""
    return begun("promoted", lambda line: _promoted(line, 7))


@pytest.fixture
def challenged(begun: Begun) -> Line:
    """The line of `promoted`, and a better release, of bias 6, that is not promoted."""
    return begun("challenged", lambda line: (_promoted(line, 7), line.release(bias=6)))


@pytest.fixture
def succeeded(begun: Begun) -> Line:
    """The line of `challenged` after the promotion of its second release."""
    return begun("succeeded", lambda line: (_promoted(line, 7), _promoted(line, 6)))


def _promoted(line: Line, bias: float) -> None:
    line.release(bias=bias)
    promotion.promote(None, None, rejudge=False, merged=False)
