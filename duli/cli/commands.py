"""Git and DVC as this line's commands ask them."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from duli.base import files
from duli.base.errors import DataError, DuliError

PR_SET_PDEATHSIG = 1


def git(
    *arguments: str, environment: Mapping[str, str] | None = None, text: str | None = None
) -> str:
    """The output of a git command; raises `DuliError` with its last line if it fails."""
    done = _run(["git", *arguments], capture=True, environment=environment, text=text)
    if done.returncode:
        raise DuliError(f"`git {' '.join(arguments[:3])}` failed: {_last(done.stderr)}")
    return done.stdout.strip()


def asked(*arguments: str) -> str | None:
    """The output of a git command; None if it fails, as outside of a repository."""
    done = _run(["git", *arguments], capture=True)
    return done.stdout.strip() if done.returncode == 0 else None


def dvc(*arguments: str) -> str:
    """The output of a DVC command; raises `DuliError` with its last line if it fails."""
    done = _run(["dvc", *arguments], capture=True)
    if done.returncode:
        raise DuliError(f"`dvc {' '.join(arguments[:2])}` failed: {_last(done.stderr)}")
    return done.stdout.strip()


def dvc_status() -> dict[str, Any]:
    """The changes to the stages of this line, as `dvc status --json` gives them.

    A damaged dvc.lock or dvc.yaml is told first, and better than by DVC.
    """
    from duli.tracking.logged import recorded

    recorded.stages(Path())
    graph, fix = Path("dvc.yaml"), "restore it: `git checkout HEAD -- dvc.yaml`"
    if graph.exists():
        found, _ = files.read_yaml(graph, recorded.MOST, DataError, fix)
        if not isinstance(found, dict) or not isinstance(found.get("stages"), dict):
            raise DataError(f"{graph} names no stages; {fix}")
    status: dict[str, Any] = json.loads(dvc("status", "--json", "dvc.yaml"))
    return status


def dvc_shown(*arguments: str) -> bool:
    """Runs a DVC command that people look at; whether it succeeded."""
    sys.stdout.flush()
    return _run(["dvc", *arguments], capture=False).returncode == 0


def _run(
    command: list[str],
    *,
    capture: bool,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
) -> "subprocess.CompletedProcess[str]":
    parent = os.getpid()

    def die_with_parent() -> None:
        """Asks the kernel to kill the command with this process: one that was killed must leave no
        `dvc repro` behind.
        """
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it was killed before the kernel was asked
                os._exit(1)

    own = {"DVC_NO_ANALYTICS": "1", "GIT_OPTIONAL_LOCKS": "0", **os.environ, **(environment or {})}
    try:
        return subprocess.run(
            command,
            capture_output=capture,
            text=True,
            input=text,
            env=own,
            check=False,
            preexec_fn=die_with_parent,
        )
    except FileNotFoundError:
        raise DuliError(
            f"there is no `{command[0]}` on the PATH; activate the venv (source"
            " .venv/bin/activate), install git"
        ) from None


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing"
