"""Which commit the code in a folder is at, and whether there is more than that."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple


class Commit(NamedTuple):
    """What git says of a folder."""

    sha: str
    dirty: bool  # something is changed or new, dvc.lock apart, which the very run writes that asks


def of(folder: Path) -> Commit | None:
    """The commit that `folder` is at; None where there is no git, no repository or no commit yet."""
    sha = _git(folder, "rev-parse", "HEAD")
    if sha is None:
        return None
    return Commit(sha, bool(_git(folder, "status", "--porcelain", "--", ":/", ":(top,exclude,glob)**/dvc.lock")))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"}, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
