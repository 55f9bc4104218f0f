"""Builds the released wheel: identical values give identical bytes, wherever and whenever it is
built.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from duli.packaging.params import Release

# Seconds since 1970 that every file in the wheel is stamped with: 2020-02-02, hatchling's own
# default.
EPOCH = 1_580_601_600
REQUIRES_PYTHON = ">=3.11"


class Wheel(NamedTuple):
    """A wheel in memory."""

    name: str
    content: bytes

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file in it, by path."""
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def file_name(release: Release) -> str:
    """The file name of the wheel of `release`."""
    return f"{release.package}-{release.version}-py3-none-any.whl"


def build(
    release: Release,
    contents: Mapping[str, bytes],
    readme: str,
    requirements: tuple[str, ...],
    extras: Mapping[str, tuple[str, ...]] | None = None,
) -> Wheel:
    """The wheel of a package with the files `contents` (by path within it), whose `__main__.py` is
    its console command.

    `extras` are what it asks for only where that is asked for: `pip install NAME[EXTRA]`. hatchling
    builds it in a temporary folder, offline, in a process of its own: it takes the time stamp from
    the environment.
    """
    with tempfile.TemporaryDirectory(prefix="duli-wheel-") as name:
        folder = Path(name)
        for path, content in contents.items():
            target = folder / release.package / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        (folder / "README.md").write_text(readme, encoding="utf-8")
        (folder / "pyproject.toml").write_text(
            _project(release, requirements, extras or {}), encoding="utf-8"
        )
        built = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out"],
            cwd=folder,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
        wheel = Wheel(file_name(release), (folder / "out" / file_name(release)).read_bytes())
    # hatchling can leave files out silently (*.onnx that git ignores, among others).
    packed = {
        path: content for path, content in wheel.contents().items() if ".dist-info/" not in path
    }
    assert packed == {f"{release.package}/{path}": content for path, content in contents.items()}, (
        sorted(packed)
    )
    return wheel


def _project(
    release: Release, requirements: tuple[str, ...], extras: Mapping[str, tuple[str, ...]]
) -> str:
    """The pyproject.toml; text goes through JSON, whose strings are TOML's as long as nothing is
    unprintable.
    """

    def quoted(value: str | tuple[str, ...]) -> str:
        return json.dumps(value, ensure_ascii=False)

    optional = "".join(f"{name} = {quoted(needed)}\n" for name, needed in sorted(extras.items()))
    return f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = {quoted(release.name)}
version = {quoted(release.version)}
description = {quoted(release.summary)}
readme = "README.md"
requires-python = {quoted(REQUIRES_PYTHON)}
license = {quoted(release.licence)}
license-files = []
authors = [{{ name = {quoted(release.publisher)} }}]
dependencies = {quoted(requirements)}

[project.optional-dependencies]
{optional}
[project.scripts]
{quoted(release.name)} = {quoted(f"{release.package}.__main__:main")}

[tool.hatch.build]
ignore-vcs = true

[tool.hatch.build.targets.wheel]
packages = [{quoted(release.package)}]
core-metadata-version = "2.4"
"""
