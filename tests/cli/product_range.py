"""Two release lines that are built and one that is not, in a repository of their own, with the
reports that the stage makes.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import vl_convert
from dvc.repo import Repo

from tests.packaging import tiny
from tests.stages.test_report import PARAMS, Line

GRAPH = """
stages:
  report:
    cmd: exit 1
    params: [report, gates]
    outs: [{reports/business.json: {cache: false}}]
"""
STATS = "data/prepared/stats.json"
DIGITS, REVIEWS, MINE = Path(), Path("pipelines/reviews"), Path("pipelines/mine")


def make(root: Path) -> None:
    """Writes the repository into an empty folder: digits in the root, reviews (texts, held,
    unprofitable) and mine (not built).
    """
    Repo.init(str(root), no_scm=True).close()
    (root / "dvc.yaml").write_text(GRAPH)
    _line(root, DIGITS, "digits", "Handwritten digits", "image")
    _line(root, REVIEWS, "reviews", "Chinese product reviews", "text", price=0.2, accuracy=0.87)
    _described(root / MINE, "mine", "Tables of <b>mine</b>", PARAMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        with Repo(".") as repo:
            for folder in (DIGITS, REVIEWS):
                repo.commit(str(folder / "dvc.yaml"), force=True)


def change(path: Path, key: str, value: Any) -> None:
    """Sets the value at a dotted key of a JSON file."""
    content = json.loads(path.read_text())
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[last] = value
    path.write_text(json.dumps(content))


def _line(
    root: Path,
    place: Path,
    name: str,
    title: str,
    kind: str,
    *,
    price: float = 1.2,
    accuracy: float | None = None,
) -> None:
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(
            vl_convert, "vegalite_to_svg", lambda *_, **__: "<svg></svg>"
        )  # half of the stage's time, for pages nobody opens here
        line = Line(folder)
        line.params = PARAMS.replace("price_per_1000: 1.2", f"price_per_1000: {price}")
        line.files[STATS] = {"kind": kind}
        line.files["dist/manifest.json"]["name"] = name
        if accuracy is not None:
            line.set(
                "reports/evaluation.json",
                "accuracy",
                {"value": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.01, "n": 1700},
            )
        line.run()
    _described(folder, name, title, line.params)


def _described(folder: Path, name: str, title: str, params: str) -> None:
    """The params.yaml of a line, and its copy of the graph."""
    folder.mkdir(parents=True, exist_ok=True)
    further = (folder.parent.parent / "dvc.yaml").exists()
    release = json.dumps(
        {**tiny.RELEASE, "name": name, "title": title, "version": "0.1.0"}, ensure_ascii=False
    )
    (folder / "params.yaml").write_text(
        f"kind: image\ntask: classification\nrelease: {release}\n{params}"
    )
    if further:
        shutil.copy(folder.parent.parent / "dvc.yaml", folder)
        (folder / "stages").symlink_to("../../stages")
