"""The commit is git's word; without one there is none, and what dvc.lock says is no change of the
code.
"""

import subprocess
from pathlib import Path

import pytest

from duli.packaging import commit


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_no_git_no_repository_and_no_commit_is_none(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commit.of(repository) is None
    git(repository, "init", "-q")
    assert commit.of(repository) is None
    monkeypatch.setenv("PATH", str(repository))
    assert commit.of(repository) is None


def test_anything_but_dvc_lock_makes_it_dirty(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-12-01T06:30:05+08:00")
    git(repository, "init", "-q")
    for name in ("dvc.lock", "code.py"):
        (repository / name).write_text("1")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first")
    clean = commit.Commit(
        git(repository, "rev-parse", "HEAD"), dirty=False, time="2026-11-30T22:30:05Z"
    )
    (repository / "dvc.lock").write_text("2")
    assert commit.of(repository) == clean
    (repository / "new.py").write_text("1")
    assert commit.of(repository) == clean._replace(dirty=True)
