"""Files that were damaged or written by hand are one line with the file and the fix, whatever the
command.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from duli.base import files
from duli.base.errors import DataError
from duli.cli import commands
from duli.cli.retrain import DECISION
from duli.tracking.logged import recorded
from tests.cli.released import Line
from tests.cli.test_commands import duli

# What `duli show` reads, as the stages write it.
SCORE = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 300}
SHOWN: dict[str, Any] = {
    "reports/train.json": {"parameters": 9},
    "reports/evaluation.json": {"accuracy": SCORE},
    "reports/quantization.json": {"variants": {"int8": {"bytes": 900}}},
    "reports/benchmark.json": {
        "shipped": "int8",
        "variants": {
            "int8": {
                "latency_ms": {"value": 0.1, "p99": 0.2},
                "throughput": {"value": 10.0, "batch": 8},
            }
        },
    },
    "reports/business.json": {
        "unit_cost_usd_per_million": {"value": 2.0, "low": 1.0, "high": 3.0},
        "price_usd_per_thousand": 1.2,
        "gross_margin": {"value": 0.5},
    },
    "reports/gates.json": {"verdict": "release", "gates": 1, "reasons": [], "results": []},
    "reports/release_run.json": {
        "registered_model": "a",
        "version": 1,
        "run_id": "1234567890",
        "experiment": "a",
    },
    "dist/manifest.json": {
        "name": "a",
        "version": "1",
        "signed": False,
        "wheel": {"file": "a.whl", "bytes": 1000, "sha256": "0"},
    },
}
RAW = [
    b"[]",
    b"{}",
    b"null",
    b"3",
    b'"text"',
    b"",
    b'{"a": ',
    b"\xff\xfe",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b"[" * 100_000,
]
LOCK = (
    "schema: '2.0'\nstages:\n  report:\n    cmd: x\n    outs:\n    - path: reports/gates.json\n    "
    "  md5: '0'\n"
)
LOCKS = {
    "conflict": f"<<<<<<< HEAD\n{LOCK}=======\n{LOCK}>>>>>>> other\n".encode(),
    "empty": b"",
    "cut": LOCK[:-8].encode(),
    "binary": os.urandom(100) + b"\x00",
    "latin-1": b"schema: \xe4\n",
    "list": b"- 1\n",
    "schema": LOCK.replace("2.0", "9").encode(),
    "digits": LOCK.replace("md5: '0'", "md5: 12345678901234567890123456789012").encode(),
    "types": LOCK.replace("- path: reports/gates.json", "- path: 3").encode(),
    "tabs": b"schema:\n\t'2.0'\n",
    "twice": LOCK.encode() + LOCK.encode(),
    "itself": b"schema: &a [*a]\n",
    "laughs": (
        (
            "a0: &a0 [1, 1]\n"
            + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
        ).encode()
    ),
    "merges": (
        (
            "a0: &a0 {x: 1}\n"
            + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 60))
        ).encode()
    ),
    "large": b"x" * 2_000_000,
}


def refused(folder: Path, file: str, *command: str) -> None:
    """The command ends with 2 and one line that names the file and a fix."""
    shown = duli(folder, *command)
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 1), shown.stderr[-500:]
    assert Path(file).name in shown.stderr
    assert ";" in shown.stderr


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text("kind: image\ntask: classification\n")
    for name, content in SHOWN.items():
        files.write_json(tmp_path / name, content)
    assert duli(tmp_path, "show").returncode == 0
    return tmp_path


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: repr(raw[:8]))
@pytest.mark.parametrize("name", SHOWN)
def test_show_names_the_file_that_is_no_report(shown: Path, name: str, raw: bytes) -> None:
    (shown / name).write_bytes(raw)
    refused(shown, name, "show")


def places(value: Any, place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = (
        [one for key, below in value.items() for one in places(below, (*place, key))]
        if isinstance(value, dict)
        else []
    )
    return [*([place] if place else []), *inner]


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("change", ["missing", "list", "null"])
def test_show_names_the_file_of_a_key_that_is_missing_or_of_another_type(
    shown: Path, name: str, change: str
) -> None:
    believed = []
    for *parents, last in places(SHOWN[name]):
        content = json.loads(json.dumps(SHOWN[name]))
        inner = content
        for parent in parents:
            inner = inner[parent]
        if change == "missing":
            del inner[last]
        else:
            inner[last] = [] if change == "list" else None
        (shown / name).write_text(json.dumps(content))
        said = duli(shown, "show")
        assert "Traceback" not in said.stderr
        if said.returncode:
            assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
            # The shipped variant is a key of other reports.
            assert name in said.stderr or (
                last == "shipped" and "variants.None is missing" in said.stderr
            )
        else:
            believed.append(last)
    # Texts and truths, which show as what they are; a count of kinds that nobody reads.
    assert set(believed) <= {
        "name",
        "version",
        "file",
        "signed",
        "sha256",
        "registered_model",
        "experiment",
        "n",
        "value",
        "results",
        "gates",
        "reasons",
        "verdict",
        "batch",
        "run_id",
    }


@pytest.mark.parametrize("kind", LOCKS)
def test_every_command_that_reads_dvc_lock_names_it(released: Line, kind: str) -> None:
    (released.folder / "dvc.lock").write_bytes(LOCKS[kind])
    for command in ("track", "promote", "gates"):
        refused(released.folder, "dvc.lock", command)
    if kind == "conflict":
        released.params(
            {"not_worse_by": 0.02, "better_by": None, "seed_noise": 0.0, "require_signature": False}
        )


@pytest.mark.parametrize("raw", RAW[:9], ids=lambda raw: repr(raw[:8]))
@pytest.mark.parametrize(
    "name", ["dist/manifest.json", "reports/evaluation.json", "data/prepared/stats.json"]
)
def test_track_names_the_file_that_is_no_report(released: Line, name: str, raw: bytes) -> None:
    (released.folder / name).write_bytes(raw)
    refused(released.folder, name, "track")


@pytest.mark.parametrize("raw", [b"[]", b"3", b"{", b"\xff"])
def test_propose_names_a_decision_that_is_none(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / DECISION).parent.mkdir(parents=True)
    (tmp_path / DECISION).write_bytes(raw)
    refused(tmp_path, str(DECISION), "propose")


@pytest.mark.parametrize("read", [recorded.stages])
def test_a_lock_that_is_right_is_read(
    tmp_path: Path, read: Callable[[Path], dict[str, Any]]
) -> None:
    assert read(tmp_path) == {}
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert read(tmp_path)["report"]["outs"] == [{"path": "reports/gates.json", "md5": "0"}]


GRAPHS = {
    "conflict": b"<<<<<<< HEAD\nstages: {}\n=======\nstages: {}\n>>>>>>> other\n",
    "cut": b"stages:\n  fetch:\n    cmd: [",
    "list": b"- 1\n",
    "number": b"stages: 3\n",
    "empty": b"",
    "itself": b"stages: &a [*a]\n",
    "latin-1": b"stages: \xe4\n",
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_damaged_graph_is_told_better_than_by_dvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_bytes(GRAPHS[kind])
    with pytest.raises(DataError, match=r"dvc\.yaml.*; .*git checkout"):
        commands.dvc_status()
