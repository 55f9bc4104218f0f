"""The command line: help, params check, and what it says where there is nothing to show."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.closure import ROOT


def duli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from duli.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, env={"PATH": "", "PYTHONPATH": str(ROOT)}
    )


def test_help_lists_every_command_with_its_purpose() -> None:
    shown = duli(ROOT, "--help")
    assert shown.returncode == 0
    for command in ("check", "show", "report", "track", "ui"):
        assert f"\n    {command} " in shown.stdout
        assert duli(ROOT, command, "--help").returncode == 0


def test_check_accepts_the_default_line_and_lists_all_mistakes_of_a_broken_one(tmp_path: Path) -> None:
    assert "sections are valid" in duli(ROOT, "check").stdout
    broken = (ROOT / "params.yaml").read_text().replace("epochs:", "epoks:").replace("dataset: mnist", "dataset: mnits")
    (tmp_path / "params.yaml").write_text(broken)
    shown = duli(tmp_path, "check")
    assert shown.returncode == 2
    assert "unknown key 'train.epoks'" in shown.stderr
    assert "'train.epochs' is missing" in shown.stderr
    assert "there is no duli/datasets/mnits.py" in shown.stderr
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize("command", ["check", "show", "report"])
def test_an_empty_folder_gets_one_line_with_the_fix(tmp_path: Path, command: str) -> None:
    shown = duli(tmp_path, command)
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1
    assert "dvc repro" in shown.stderr or "params.yaml" in shown.stderr
    assert list(tmp_path.iterdir()) == []
