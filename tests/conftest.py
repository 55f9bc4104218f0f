"""What many tests share: the real MNIST files, fetched once by the real sources."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

from duli.base import files
from duli.datasets import mnist
from duli.datasets.shared.sources import SourceError
from stages.__main__ import ENVIRONMENT
from tests.closure import ROOT

os.environ.update(ENVIRONMENT)
# Compiled once, and not in each of hundreds of processes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# The same examples in every run: a failure is then of the change that is tested.
# HYPOTHESIS_PROFILE=default searches anew.
hypothesis.settings.register_profile("fixed", derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the whole line first: they take longest, and a worker that has nothing left
    takes small ones from the end.
    """
    items.sort(key=lambda item: item.path.name != "test_line.py")


@pytest.fixture(scope="session")
def mnist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four IDX files of MNIST: the repository's own if they are there, else from
    the public sources.
    """
    own = ROOT / "data/raw"
    if all(
        (own / name).is_file() and files.sha256(own / name) == digest
        for name, (_, digest) in mnist.FILES.items()
    ):
        return own
    folder = tmp_path_factory.mktemp("mnist")
    reasons = []
    for source in mnist.sources(None):
        try:
            with source.open() as chunks:
                for name in mnist.FILES:
                    (folder / name).write_bytes(b"".join(chunks(name)))
            return folder
        except SourceError as error:
            reasons.append(f"{source}: {error}")
    pytest.fail(f"MNIST is nowhere to be had: {reasons}")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in as a release line."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
