"""The advice against damage works: its commands, given in a shell, bring the file back, by real
DVC.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from duli.base import files
from duli.base.errors import DataError
from duli.cli import new
from duli.cli.commands import dvc_status

GRAPH = """
stages:
  make:
    cmd: |-
      mkdir -p reports && echo '{"number": 12345}' > reports/made.json
    outs: [reports/made.json]
"""
MADE = Path("reports/made.json")
CONTENT = b'{"number": 12345}\n'


@pytest.fixture(params=[".", "pipelines/mine"])
def built(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A line that was built once, in the root or a project of its own, as the current folder."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    shell("git init -q && dvc init -q")
    folder = tmp_path / request.param
    folder.mkdir(parents=True, exist_ok=True)
    if request.param != ".":
        monkeypatch.setattr(new, "CODE", tmp_path)
        files.write_text(folder / ".dvc/config", new._dvc_config(folder))
    monkeypatch.chdir(folder)
    Path("dvc.yaml").write_text(GRAPH)
    shell(
        "dvc repro -q && git add -A -f dvc.yaml dvc.lock && git -c user.name=t -c user.email=t@l"
        " commit -qm made"
    )
    assert MADE.read_bytes() == CONTENT
    return tmp_path


def shell(command: str) -> None:
    subprocess.run(["bash", "-euc", command], check=True, capture_output=True)


def damage_file(_: Path) -> None:
    MADE.write_bytes(CONTENT[:7])


def damage_both(root: Path) -> None:
    """DVC's copy too, which stays read-only, as a full disk or a bad one leaves it."""
    damage_file(root)
    for path in root.glob(".dvc/cache/files/md5/*/*"):
        if path.read_bytes() == CONTENT:
            path.chmod(0o644)
            path.write_bytes(CONTENT[:7])
            path.chmod(0o444)


def damage_link(root: Path) -> None:
    """The file is DVC's copy itself, where the cache is linked."""
    damage_both(root)
    [copy] = [
        path for path in root.glob(".dvc/cache/files/md5/*/*") if path.read_bytes() == CONTENT[:7]
    ]
    MADE.unlink()
    MADE.hardlink_to(copy)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [damage_file, damage_both, damage_link])
def test_damaged_json_is_healed_by_the_commands_that_are_told(
    built: Path, damage: Callable[[Path], None]
) -> None:
    damage(built)
    with pytest.raises(DataError, match=re.escape(str(MADE))) as told:
        files.read_json(MADE)
    shell(str(told.value).split("`")[1])
    assert MADE.read_bytes() == CONTENT
    assert files.read_json(MADE) == json.loads(CONTENT)


@pytest.mark.slow
@pytest.mark.parametrize("way", [0, 1])
def test_a_damaged_lock_is_healed_by_the_commands_that_are_told(built: Path, way: int) -> None:
    lock = Path("dvc.lock")
    whole = lock.read_text()
    lock.write_text(f"<<<<<<< HEAD\n{whole}" if way else whole[: whole.index("path:") + 3])
    with pytest.raises(DataError, match=r"^dvc\.lock") as told:
        dvc_status()
    assert len(str(told.value).splitlines()) == 1
    commands = str(told.value).split("`")[1::2]
    shell(f"{commands[way]} && {commands[2]}")
    assert lock.read_text() == whole
    assert dvc_status() == {}
