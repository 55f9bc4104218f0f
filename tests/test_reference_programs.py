"""The reference programs train on a folder in torchvision's layout, one JSON line an epoch, and say
in one line what is missing.
"""

import json
import runpy
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.closure import ROOT

SCRIPTS = ROOT / "benchmarks/reference"
PROGRAMS = ("tutorial", "examples_mnist")
Run = Callable[..., list[dict[str, float]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tiny images whose class is easy to see: a bright row at twice the label's height."""
    raw = tmp_path / "MNIST/raw"
    raw.mkdir(parents=True)
    for split, count in (("train", 640), ("t10k", 50)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.zeros((count, 28, 28), np.uint8)
        images[np.arange(count), 2 * labels + 4] = 255
        (raw / f"{split}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 2051, count, 28, 28) + images.tobytes()
        )
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 2049, count) + labels.tobytes()
        )
    return tmp_path


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Iterator[str]:
    threads = torch.get_num_threads()
    yield request.param
    torch.set_num_threads(threads)


@pytest.fixture
def run(
    program: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs the program in this process, for importing torch takes longer than all it does; gives
    its lines.
    """

    def lines(*options: str) -> list[dict[str, float]]:
        monkeypatch.setattr(
            sys, "argv", [program, "--data", str(folder), "--threads", "1", *options]
        )
        runpy.run_path(str(SCRIPTS / f"{program}.py"), run_name="__main__")
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return lines


def test_learns_and_stops(run: Run) -> None:
    lines = run("--epochs", "20", "--stop-at", "0.9")
    assert [line["epoch"] for line in lines] == list(range(1, len(lines) + 1))
    assert all(
        set(line) == {"epoch", "cpu_seconds", "wall_seconds", "test_accuracy"} for line in lines
    )
    assert [line["test_accuracy"] >= 0.9 for line in lines] == [False] * (len(lines) - 1) + [True]
    assert len(lines) < 20
    seconds = [line["cpu_seconds"] for line in lines]
    assert seconds[0] > 0
    assert seconds == sorted(seconds)


def test_limit_and_seed(run: Run) -> None:
    limited = [
        line["test_accuracy"] for line in run("--epochs", "2", "--seed", "3", "--limit", "1")
    ]
    assert len(limited) == 2
    assert [
        line["test_accuracy"] for line in run("--epochs", "2", "--seed", "3", "--limit", "1")
    ] == limited
    assert [
        line["test_accuracy"] for line in run("--epochs", "2", "--seed", "4", "--limit", "1")
    ] != limited
    assert run("--epochs", "1", "--seed", "3")[0]["test_accuracy"] > limited[0]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--stop-at", "99", "99 is not between 0 and 1"),
        ("--epochs", "0", "0 is not a whole number from 1"),
        ("--limit", "some", "some is not"),
    ],
)
def test_wrong_options(
    run: Run, capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit):
        run(option, value)
    assert f"argument {option}: {said}" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_missing_files_are_named_with_the_fix(program: str, folder: Path) -> None:
    """As a script, which is how it is run."""
    (folder / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    command = [
        sys.executable,
        str(SCRIPTS / f"{program}.py"),
        "--data",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "has no t10k-labels-idx1-ubyte; mkdir -p" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
