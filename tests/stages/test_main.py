"""The manners every stage shares, on a real stage in a real process."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.repo import Repo

from duli.base import machine
from stages import __main__ as main
from stages.__main__ import STAGES
from tests.closure import ROOT


def stages(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-m", "stages", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=env,
    )


@pytest.fixture
def line(tmp_path: Path, mnist_folder: Path) -> Path:
    """A release line with nothing made yet, whose data lies in a local folder."""
    params = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        params.replace("dataset: mnist", f"dataset: mnist\n  local: {mnist_folder}")
    )
    return tmp_path


def test_without_a_name_it_lists_the_stages() -> None:
    shown = stages(ROOT)
    assert shown.returncode == 0
    assert [row.split()[0] for row in shown.stdout.splitlines()[2:]] == list(STAGES)
    assert all(len(row.split()) > 4 for row in shown.stdout.splitlines()[2:])


@pytest.mark.parametrize("arguments", [["fecth"], ["fetch", "prepare"], ["../fetch"], ["sections"]])
def test_an_unknown_stage_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    shown = stages(tmp_path, *arguments)
    assert shown.returncode == 2
    assert "known: fetch, prepare" in shown.stderr


def test_a_stage_leaves_its_sidecar(line: Path) -> None:
    shown = stages(line, "fetch")
    assert (shown.returncode, shown.stderr) == (0, "")
    sidecar = json.loads((line / "reports/resources/fetch.json").read_text())
    assert sidecar["stage"] == "fetch"
    assert sidecar["seconds"] > 0
    assert sidecar["peak_mb"] > 5
    assert sidecar["hardware"]["cores"] >= 1
    assert abs(sidecar["started"] - time.time()) < 60


def test_a_mistake_in_any_section_stops_the_first_stage_before_it_does_anything(line: Path) -> None:
    params = line / "params.yaml"
    params.write_text(params.read_text().replace("price_per_1000: ", "price_per_1000: -"))
    shown = stages(line, "fetch")
    assert shown.returncode == 2
    assert shown.stderr.startswith("fetch: error: params.yaml: report.price_per_1000 = -")
    assert not (line / "data").exists()


def test_a_missing_input_is_one_line(line: Path) -> None:
    shown = stages(line, "prepare")
    assert shown.returncode == 2
    assert "dataset.json is missing; run `dvc repro`" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_a_library_of_another_copy_is_refused(line: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "stages").symlink_to(ROOT / "stages")
    other = tmp_path / "other"
    shutil.copytree(ROOT / "duli/base", other / "duli/base")
    (other / "duli/__init__.py").touch()
    shown = stages(line, "fetch", PYTHONPATH=f"{other}:{ROOT}")
    assert shown.returncode == 2
    assert "start from one copy" in shown.stderr


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_stage_dies_with_the_process_that_started_it(tmp_path: Path, shell: str) -> None:
    """As when `dvc repro` is killed, which starts a stage's command through the user's shell."""
    with Repo(str(ROOT)) as repo:
        (command,) = {
            stage.cmd.removesuffix(f"-m stages {stage.name}")
            for stage in repo.stage.collect("dvc.yaml")
        }
    stage_code = "m._die_with_parent(); print(os.getpid(), flush=True); time.sleep(60)"
    (tmp_path / "stage.py").write_text(f"import os, time, stages.__main__ as m; {stage_code}")
    starter = f"import subprocess; subprocess.run([{shell!r}, '-c', {command + 'stage.py'!r}])"
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": "",
    }
    (tmp_path / "duli").symlink_to(ROOT / "duli")
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    parent = subprocess.Popen(
        [sys.executable, "-c", starter], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        stage = int(parent.stdout.readline())
        assert _alive(stage)
        parent.kill()
        parent.wait()
        _until(lambda: not _alive(stage))


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def _until(condition: object) -> None:
    end = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "did not happen within 20 s"
        time.sleep(0.02)


@pytest.mark.parametrize(("quota", "threads"), [(0.5, "1"), (None, None)])
def test_in_a_container_a_stage_starts_no_more_threads_than_its_quota_feeds(
    line: Path, monkeypatch: pytest.MonkeyPatch, quota: float | None, threads: str | None
) -> None:
    monkeypatch.chdir(line)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(machine, "cpu_quota", lambda *_: quota)
    monkeypatch.setattr(main, "_die_with_parent", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("stages.fetch.main", lambda: None)
    main._run("fetch")
    assert os.environ.get("OMP_NUM_THREADS") == threads
