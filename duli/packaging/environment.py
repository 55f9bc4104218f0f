"""Installs a wheel into a bare environment, as a customer does: with nothing but what the wheel
declares.
"""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from duli.base.errors import DuliError, GateError


def closure(*names: str) -> dict[str, str]:
    """The distributions `names` and all they need, each with its version in this environment."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found[name] = metadata.version(name)
        needed = (Requirement(text) for text in metadata.requires(name) or [])
        waiting += [
            need.name
            for need in needed
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return dict(sorted(found.items()))


def install(folder: Path, wheel: Path, pins: dict[str, str]) -> None:
    """Makes a virtual environment in `folder` with `wheel` and exactly the distributions `pins` of
    this environment.

    They come from uv's cache, which the set-up filled, and from the network only where the cache
    lacks one. Raises `DuliError` where neither has them, `GateError` where the wheel declares a
    dependency that is not among `pins`.
    """
    uv = shutil.which(
        "uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    if uv is None:
        raise DuliError("no `uv` beside this Python or on PATH; run `make install`")
    python = f"--python={folder / 'bin' / 'python'}"
    made = _run(uv, "venv", f"--python={sys.executable}", "--no-project", str(folder))
    if made.returncode:
        raise DuliError(
            f"uv could not make a bare environment: {_reason(made)}; check the free space in the"
            " temporary folder"
        )
    packages = [f"{name}=={version}" for name, version in pins.items()]
    # Without dependency resolution, for which uv would have to ask the index even for what is in
    # its cache.
    offline = _run(uv, "pip", "install", "--offline", "--no-deps", python, *packages)
    if offline.returncode:
        online = _run(uv, "pip", "install", "--no-deps", python, *packages)
        if online.returncode:
            raise DuliError(
                f"the bare environment that has to prove the wheel needs {', '.join(packages)};"
                f" they are not in uv's cache ({uv} cache dir) and could not be downloaded:"
                f" {_reason(online)}; run this stage once with a network, or `make install`"
            )
    # Without the cache, where uv would hard-link the files of a wheel that is about to be thrown
    # away.
    packed = _run(
        uv,
        "pip",
        "install",
        "--offline",
        "--no-index",
        "--no-deps",
        "--no-cache",
        "--link-mode=copy",
        python,
        str(wheel),
    )
    if packed.returncode:
        raise GateError(f"the wheel does not install: {_reason(packed)}")
    complete = _run(uv, "pip", "check", python)
    if complete.returncode:
        raise GateError(
            f"the wheel's declared dependencies are not met by {', '.join(packages)}:"
            f" {_reason(complete)}"
        )


def clean() -> dict[str, str]:
    """This process's environment variables without those that would lead a Python elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name != "VIRTUAL_ENV"
    }


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=clean(), capture_output=True, text=True, check=False)


def _reason(failed: "subprocess.CompletedProcess[str]") -> str:
    return " ".join(failed.stderr.split()) or f"exit code {failed.returncode}"
