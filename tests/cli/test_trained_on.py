"""Drift is judged against the champion and what it was trained on, whatever lies in the work tree:
by real git and DVC.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duli.base import files
from duli.base.errors import DataError
from duli.base.params import Params
from duli.cli import incoming, retrain, trained_on
from duli.cli.incoming import NEEDED
from duli.cli.intake import Window
from duli.cli.registered import CHAMPION, MANIFEST
from duli.cli.trained_on import champions_line
from duli.retraining.params import Retrain
from duli.tracking.champion import Record
from tests.cli.test_incoming import (  # noqa: F401
    KNOBS,
    empty,
    exported,
    images,
    put,
    reference_split,
    trained,
)
from tests.closure import ROOT

pytestmark = pytest.mark.slow

FIRST = Record(
    name="digits",
    version="0.1.0",
    model_version=1,
    release="1" * 64,
    run_id="a",
    test_digest="b",
    model_sha256="c",
    wheel_sha256="first",
    signer=None,
    measures={},
)


def run(*command: str) -> None:
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        env={**_ENVIRONMENT, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
    )


_ENVIRONMENT = {"DVC_NO_ANALYTICS": "1", "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null"}


def commit(wheel: str, message: str) -> None:
    files.write_json(MANIFEST, {"wheel": {"sha256": wheel}})
    run(
        "dvc",
        "add",
        "-q",
        "data/raw",
        "models/variants",
        str(MANIFEST),
        *(str(path) for path in NEEDED if path.parent.name == "prepared"),
    )
    run("git", "add", "-A")
    run("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", message)


@pytest.fixture
def merged_though_held(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A line whose last commit has a challenger that was held, trained on other images than the
    champion, and a DVC remote.
    """
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "-q", "-d", "store", str(trained.parent / f"{trained.name}-store"))
    files.write_json(CHAMPION, {"champion": FIRST.model_dump(), "previous": None})
    commit("first", "The first champion")
    pixels, labels = images(400, 0)
    reference_split(trained, np.roll(pixels, 1, axis=3), labels, "1" * 64)
    commit("second", "Held, and merged all the same")
    run("dvc", "push", "-q", "--all-commits")
    return trained


def verdicts(status: dict[str, Any], champion: Record | None = FIRST) -> Any:
    settings = (
        Params(ROOT / "params.yaml").section("retrain", Retrain).model_copy(update={"drift": KNOBS})
    )
    windows = [
        Window(path, labelled=True, kept=None, refused=None, objection="")
        for path in sorted(incoming.INCOMING.glob("*.parquet"))
    ]
    return retrain._verdicts(windows, settings, champion, status)


def test_a_window_like_the_champion_s_data_is_calm_beside_a_challenger_s(
    merged_though_held: Path,
) -> None:
    pixels, labels = images(300, 1)
    put("1", pixels, labels)
    put("2", np.roll(pixels, 1, axis=3), labels)
    # by what lies here
    assert [
        verdict.fired for verdict in incoming.judged(KNOBS, sorted(incoming.INCOMING.glob("*")))
    ] == [True, False]
    found, why = verdicts({})
    assert ({name: verdict.fired for name, verdict in found.items()}, why) == (
        {"1.parquet": False, "2.parquet": True},
        "",
    )
    assert verdicts({}, None) == (None, "there is no champion")

    # The files of the champion come from the remote, and once.
    folder = champions_line(FIRST, NEEDED, {})
    shutil.rmtree(folder)
    shutil.rmtree(".dvc/cache")
    assert champions_line(FIRST, NEEDED, {}) == folder
    assert (
        files.read_json(folder / "data/prepared/stats.json")["splits"]["validation"]["digest"]
        == "0" * 64
    )
    # both have the same network
    assert files.sha256(folder / incoming.EXPORTED) == files.sha256(incoming.EXPORTED)
    shutil.rmtree(merged_though_held.parent / f"{merged_though_held.name}-store")
    shutil.rmtree(".dvc/cache", ignore_errors=True)
    assert champions_line(FIRST, NEEDED, {}) == folder
    shutil.rmtree(folder)
    with pytest.raises(DataError, match=r"of commit \w{8} is not to be had"):
        champions_line(FIRST, NEEDED, {})
    assert not list(folder.parent.iterdir())  # nothing half-written
    assert "is not to be had" in verdicts({})[1]  # the table says so


def test_what_lies_here_is_taken_where_it_is_the_champion_s_and_unchanged(
    merged_though_held: Path,
) -> None:
    second = FIRST.model_copy(update={"wheel_sha256": "second", "release": "2" * 64})
    assert champions_line(second, NEEDED, {}) == Path()
    assert (
        champions_line(
            second, NEEDED, {"report": [{"changed deps": {"champion.json": "modified"}}]}
        )
        == Path()
    )
    for path in ("models/variants", "data/prepared/validation.parquet"):
        with pytest.raises(DataError, match=r"champion\.json"):
            champions_line(
                second, NEEDED, {"train": ["always changed", {"changed deps": {path: "modified"}}]}
            )

    # A commit with the lock of another release is not believed.
    third = FIRST.model_copy(update={"wheel_sha256": "third", "release": "3" * 64})
    files.write_json(CHAMPION, {"champion": third.model_dump(), "previous": None})
    commit("second", "champion.json alone")
    files.write_json(MANIFEST, {"wheel": {"sha256": "fourth"}})
    with pytest.raises(DataError, match="is of another release; commit both together"):
        champions_line(third, NEEDED, {})


@pytest.mark.parametrize("place", ["cache", "remote"])
def test_files_of_a_commit_are_had_for_further_lines_too(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A further line is a DVC project in that of the root; `dvc get` does not find its cache. The
    remote is younger than the commit.
    """
    monkeypatch.chdir(tmp_path)
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    folder = tmp_path / "pipelines/mine"
    shutil.copytree(
        ROOT / "pipelines/fashion/.dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp")
    )
    monkeypatch.chdir(folder)
    wanted = Path("data/raw/dataset.json")
    for content in ("old", "new"):
        files.write_text(wanted, content)
        run("dvc", "add", "-q", str(wanted))
        run("git", "add", "-A", ".")
        run("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", content)
    old = subprocess.run(
        ["git", "rev-parse", "HEAD~"], check=True, capture_output=True, text=True
    ).stdout.strip()
    if place == "remote":
        run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
        (tmp_path / ".dvc/cache").rename(tmp_path / "store")
    trained_on._get(old, [wanted], tmp_path / "had")
    assert (tmp_path / "had" / wanted).read_text() == "old"
