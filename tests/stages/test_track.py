import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from duli.base.errors import DataError
from duli.tracking.client import process
from duli.tracking.client.store import Store
from stages import track
from tests.closure import ROOT
from tests.tracking import line as lines
from tests.tracking.conftest import fresh, migrated  # noqa: F401

LOCK = """schema: '2.0'
stages:
  prepare:
    cmd: python -m stages prepare
    params: {params.yaml: {prepare.limit: 100}}
  train:
    cmd: python -m stages train
    params: {params.yaml: {train: {learning_rate: 0.3, layers: [4]}}}
  track:
    cmd: python -m stages track
    outs: [{path: reports/release_run.json, md5: aa}]
"""


@pytest.fixture
def made(line: Path, fresh: Callable[[Path], Store], monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    lines.build(line)
    fresh(line)
    for name in ("DVC_ROOT", "DVC_STAGE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return line


def _run(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "reports/release_run.json").read_text())
    return found


def test_the_release_is_logged_and_named(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    track.main()
    first = _run(made)
    assert track.gather(made, {}).tags["duli.training_run"] == "abc"
    assert set(first) == {"release", "experiment", "run_id", "registered_model", "version"}
    assert (first["experiment"], first["registered_model"], first["version"]) == (
        "digits",
        "digits",
        1,
    )
    assert "is run" in capsys.readouterr().out
    track.main()
    assert _run(made) == first


def test_the_command_line_records_without_touching_the_file_of_the_stage(made: Path) -> None:
    track.main()
    before = (made / "reports/release_run.json").read_bytes()
    shutil.copyfile(made / "mlruns/mlflow.db", made / "mlruns/lost.db")
    logged = track.record(made, {})
    assert not logged.created
    again = track.record(made, {"MLFLOW_TRACKING_URI": "sqlite:///mlruns/lost.db"})
    assert (again.run_id, again.created) == (logged.run_id, False)
    assert (made / "reports/release_run.json").read_bytes() == before


def test_identity_is_the_result_not_params_sidecars_or_the_clock(made: Path) -> None:
    first = track.gather(made, {}).digest
    (made / "params.yaml").write_text(
        "kind: image\ntask: classification\ntrain: {learning_rate: 0.2}\n"
    )
    (made / "reports/resources/train.json").write_text('{"seconds": 99.0, "mlflow_run_id": null}')
    assert track.gather(made, {}).digest == first
    for name in (
        "reports/evaluation.json",
        "reports/evaluation/per_class.csv",
        "dist/MODEL_CARD.md",
        "models/history.csv",
        "reports/assumptions.csv",
    ):
        with (made / name).open("a") as file:
            file.write(" ")
        changed = track.gather(made, {}).digest
        assert changed != first, name
        first = changed
    (made / "dist/digits.whl").write_bytes(b"wheel")
    first, before = track.gather(made, {}).digest, first
    assert first != before
    # a random number, and the commit
    for name in ("dist/model.sig", "dist/provenance.intoto.json"):
        (made / name).write_text("1")
        assert track.gather(made, {}).digest == first
    assert made / "dist/provenance.intoto.json" in track.gather(made, {}).artifacts["dist"]


@pytest.mark.parametrize(
    "name",
    [
        "reports/business.json",
        "dist/manifest.json",
        "models/history.csv",
        "reports/report.html",
        "reports/resources/train.json",
    ],
)
def test_a_missing_file_is_named(made: Path, name: str) -> None:
    (made / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing; run `dvc repro`"):
        track.gather(Path(), {})


def test_another_model_than_the_packed_one_is_refused(made: Path) -> None:
    (made / "models/variants/int8.onnx").write_bytes(lines.model(7.0))
    with pytest.raises(DataError, match="is not the model in dist"):
        track.gather(Path(), {})


def test_params_are_those_the_files_were_made_with(made: Path) -> None:
    assert track.gather(made, {}).params["train"]["learning_rate"] == 0.1
    (made / "dvc.lock").write_text(LOCK)
    assert track.gather(made, {}).params == {
        "prepare.limit": 100,
        "train": {"learning_rate": 0.3, "layers": [4]},
    }


def test_the_hash_of_dvc_lock_leaves_this_stage_out(made: Path) -> None:
    (made / "dvc.lock").write_text(LOCK)
    tag = track.gather(made, {}).tags["duli.dvc_lock"]
    (made / "dvc.lock").write_text(LOCK.replace("md5: aa", "md5: bb"))
    assert track.gather(made, {}).tags["duli.dvc_lock"] == tag
    (made / "dvc.lock").write_text(LOCK.replace("limit: 100", "limit: 101"))
    assert track.gather(made, {}).tags["duli.dvc_lock"] != tag


def test_which_stages_ran_and_which_were_cached(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made / "dvc.lock").write_text(LOCK)
    monkeypatch.setattr(track, "_caller", lambda: 1.5)
    assert "duli.stages_ran" not in track.gather(made, {}).tags
    (made / "reports/resources/prepare.json").write_text('{"started": 1.5}')
    tags = track.gather(made, {"DVC_STAGE": "track"}).tags
    assert (tags["duli.stages_ran"], tags["duli.stages_cached"]) == ("prepare", "train")


def test_the_caller_is_what_started_the_shell() -> None:
    ask = (
        f"{shlex.quote(sys.executable)} -c 'from stages import track; print(track._caller())'; true"
    )
    relay = f"""
import os, subprocess, time
from duli.tracking.client import process
time.sleep(0.3)
print(process.started(os.getpid()), flush=True)
subprocess.run(["sh", "-c", {ask!r}])
"""
    done = subprocess.run(
        [sys.executable, "-c", relay], cwd=ROOT, capture_output=True, text=True, check=True
    )
    started, caller = map(float, done.stdout.split())
    assert abs(started - caller) < 0.05
    own = process.started(process.os.getpid())
    assert own is not None
    assert started > own


def test_the_commit_and_whether_more_than_dvc_lock_changed(made: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=made, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert "mlflow.source.git.commit" not in track._commit(made, {})
    git("init", "-q")
    for name in ("dvc.lock", "pipelines/other/dvc.lock", "code.py"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("1")
    git("add", "-A")
    git("commit", "-qm", "first")
    (made / "pipelines/other/dvc.lock").write_text("2")
    (made / "dvc.lock").write_text("2")
    assert track._commit(made / "pipelines", {}) == {
        "mlflow.source.git.commit": git("rev-parse", "HEAD"),
        "duli.git_dirty": "false",
    }
    (made / "code.py").write_text("2")
    assert track._commit(made / "pipelines", {})["duli.git_dirty"] == "true"
