"""A retraining that was killed while DVC wrote its lock, which it does in place, goes on; by real
git and DVC.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from duli.base import files
from duli.base.errors import DuliError
from duli.cli import commands, retrain

GRAPH = "stages:\n  copy:\n    cmd: cp one two\n    deps: [one]\n    outs: [two]\n"


@pytest.fixture
def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose dvc.lock is empty, as `open(..., "w")` leaves it at first, and so is the
    `.dvc` file of a window.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    for command in (("git", "init", "-q"), ("dvc", "init", "-q")):
        subprocess.run(command, check=True)
    Path("one").write_text("1")
    Path("dvc.yaml").write_text(GRAPH)
    subprocess.run(("dvc", "repro", "-q"), check=True)
    subprocess.run(("git", "add", "-A"), check=True)
    subprocess.run(
        ("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "t"),
        check=True,
    )
    Path("data/accepted").mkdir(parents=True)
    for path in ("dvc.lock", "data/accepted/a.parquet.dvc"):
        Path(path).write_text("")
    return tmp_path


@pytest.mark.slow
def test_dvc_s_list_of_processes_at_work_is_made_anew(cut_off: Path) -> None:
    """Cut off, it stops every command of DVC for ever, whether or not a retraining was killed;
    whole, it is DVC's own.
    """
    (cut_off / "data/accepted/a.parquet.dvc").unlink()
    subprocess.run(("git", "checkout", "-q", "dvc.lock"), check=True)
    locks = cut_off / ".dvc/tmp/rwlock"
    locks.write_text("")
    with pytest.raises(DuliError, match="rwlock"):
        retrain._status(mend=False)
    assert retrain._status(mend=True) == {}
    locks.write_text("{}")
    Path("dvc.yaml").write_text("stages: 1")
    with pytest.raises(DuliError):
        retrain._status(mend=True)
    assert locks.read_text() == "{}"


@pytest.mark.slow
def test_a_lock_that_was_cut_off_is_that_of_the_commit_again(cut_off: Path) -> None:
    with pytest.raises(DuliError):
        retrain._status(mend=True)  # nobody knows who did that to dvc.lock
    files.write_json(retrain.DECISION, {"outcome": retrain.RUNNING})
    with pytest.raises(DuliError):
        retrain._status(mend=False)  # `--explain` changes nothing
    assert not (cut_off / "dvc.lock").read_text()
    assert retrain._status(mend=True) == commands.dvc_status() == {}
    assert subprocess.run(("git", "diff", "--exit-code", "--stat"), check=False).returncode == 0
