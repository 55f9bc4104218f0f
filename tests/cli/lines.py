"""A repository with nothing in it but what `duli new` needs: the default line, the graph, and a
further line.
"""

import shutil
from pathlib import Path

import pytest

from duli.cli import new
from tests.closure import ROOT


def repository(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """`folder`, which `duli new` now takes for the repository."""
    (folder / "pipelines/fashion").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copy(ROOT / "pipelines/fashion/params.yaml", folder / "pipelines/fashion")
    patch.setattr(new, "CODE", folder)
    return folder


def tree(folder: Path) -> set[str]:
    """All there is below a folder, hidden or not."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
