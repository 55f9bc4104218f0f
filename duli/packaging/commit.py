"""The commit of the code in a folder, and whether there are changes on top of it."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple


class Commit(NamedTuple):
    """The state of a folder in git."""

    sha: str
    dirty: bool  # something is changed or new, dvc.lock apart, which the very run writes that asks
    time: str  # when it was made, in UTC: 2026-11-30T12:00:00Z


def of(folder: Path) -> Commit | None:
    """The commit that `folder` is at; None if there is no git, no repository or no commit
    yet.
    """
    found = _git(folder, "show", "--no-patch", "--no-show-signature", "--format=%H %ct", "HEAD")
    if found is None:
        return None
    sha, seconds = found.split()
    dirty = _git(folder, "status", "--porcelain", "--", ":/", ":(top,exclude,glob)**/dvc.lock")
    time = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Commit(sha, bool(dirty), time)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
