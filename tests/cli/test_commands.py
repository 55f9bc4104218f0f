"""The command line: help, params check, and what it says where there is nothing to show."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from duli.base import files
from duli.base.params import Params
from duli.cli import line
from duli.cli.main import main
from duli.gates import gates
from duli.tracking.logged import recorded
from tests.closure import ROOT


def duli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as its console script calls it, in this process, where what it imports is there
    already.
    """
    out, err, handler = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as there, redirect_stdout(out), redirect_stderr(err):
        there.chdir(folder)
        there.setenv("PATH", "")
        there.setattr(sys, "argv", ["duli", *arguments])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, handler)
    assert isinstance(ended.value.code, int)
    return subprocess.CompletedProcess(arguments, ended.value.code, out.getvalue(), err.getvalue())


def test_help_lists_every_command_with_its_purpose() -> None:
    shown = duli(ROOT, "--help")
    assert shown.returncode == 0
    for command in (
        "check",
        "gates",
        "plan",
        "show",
        "report",
        "track",
        "releases",
        "portfolio",
        "ui",
    ):
        assert re.search(rf"\n    {command}\s", shown.stdout)
        assert duli(ROOT, command, "--help").returncode == 0


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code = "from duli.cli.main import main; main()"
        shown = subprocess.run(
            [sys.executable, "-c", code, "check"],
            cwd=ROOT,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": "", "PYTHONPATH": str(ROOT)},
        )
    finally:
        os.close(writer)
    assert (shown.returncode, shown.stderr) == (141, "")


def test_check_accepts_the_default_line_and_lists_all_mistakes_of_a_broken_one(
    tmp_path: Path,
) -> None:
    assert "sections are valid" in duli(ROOT, "check").stdout
    broken = (
        (ROOT / "params.yaml")
        .read_text()
        .replace("epochs:", "epoks:")
        .replace("dataset: mnist", "dataset: mnits")
    )
    (tmp_path / "params.yaml").write_text(broken)
    shown = duli(tmp_path, "check")
    assert shown.returncode == 2
    assert "unknown key 'train.epoks'" in shown.stderr
    assert "'train.epochs' is missing" in shown.stderr
    assert "there is no duli/datasets/mnits.py" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_check_names_a_gate_on_a_measure_that_no_stage_will_make(tmp_path: Path) -> None:
    wrong = (
        (ROOT / "params.yaml")
        .read_text()
        .replace("measure: business.gross_margin,", "measure: business.gros_margin,")
    )
    (tmp_path / "params.yaml").write_text(wrong)
    shown = duli(tmp_path, "check")
    assert shown.returncode == 2
    assert (
        "gates.require.margin.measure: there is no measure business.gros_margin (is"
        " business.gross_margin meant?)" in shown.stderr
    )


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A folder with params.yaml, and reports that pass each of its gates."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    required = Params(ROOT / "params.yaml").section("gates", gates.Gates).require
    reports: dict[str, Any] = {name: {} for name in (*line.JUDGED, "manifest")}
    for gate in required.values():
        for name in gate.names({}).values():
            report, *parents, last = name.split(".")
            inner = reports[report]
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[last] = 1.0 if gate.min is not None else 0.0
    for name, report in reports.items():
        files.write_json(
            tmp_path / ("dist/manifest.json" if name == "manifest" else f"reports/{name}.json"),
            report,
        )
    summary = gates.summary(gates.judge(required, gates.measures(reports)))
    files.write_json(tmp_path / "reports/gates.json", summary)
    return tmp_path


def test_gates_judges_by_the_params_and_reports_there_are(judged: Path) -> None:
    shown = duli(judged, "gates")
    assert (shown.returncode, shown.stderr) == (0, "")
    required = Params(ROOT / "params.yaml").section("gates", gates.Gates).require
    assert all(name in shown.stdout for name in required)
    assert "verdict: release" in shown.stdout
    stricter = (judged / "params.yaml").read_text().replace("min: 0.99", "min: 1.5")
    (judged / "params.yaml").write_text(stricter)
    shown = duli(judged, "gates")
    assert shown.returncode == 1
    assert "HELD    accuracy" in shown.stdout
    assert "params.yaml has other gates" in shown.stderr


@pytest.mark.parametrize("success", [0, 1])
def test_gates_does_not_believe_what_is_written_in_gates_json(judged: Path, success: int) -> None:
    """The file says the contrary of the reports, in either direction."""
    kept = files.read_json(judged / "reports/gates.json")
    [valid] = [result for result in kept["results"] if result["name"] == "data_valid"]
    if success:
        valid |= {"passed": False, "value": 0.0}
    else:
        files.write_json(judged / "reports/validation.json", {"success": False})
    files.write_json(judged / "reports/gates.json", kept)
    shown = duli(judged, "gates")
    assert shown.returncode == 1
    assert f"verdict: {'release' if success else 'hold'}" in shown.stdout
    assert "reports/gates.json says otherwise" in shown.stderr


def test_gates_does_not_believe_a_report_that_no_stage_made(judged: Path) -> None:
    digest = recorded.md5(judged / "reports/validation.json")
    outs = [{"path": "reports/validation.json", "md5": digest}]
    lock = {"schema": "2.0", "stages": {"validate": {"cmd": "x", "outs": outs}}}
    (judged / "dvc.lock").write_text(json.dumps(lock))
    assert duli(judged, "gates").returncode == 0
    (judged / "reports/validation.json").write_text('{"success": true}')
    shown = duli(judged, "gates")
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 1)
    assert "reports/validation.json is not as the stage 'validate' made it" in shown.stderr


@pytest.mark.parametrize(
    "damaged",
    ["[]", "{}", "{", '{"results": [{}]}', "null", "3", '{"results": 3}', '{"results": [NaN]}'],
)
def test_gates_names_a_gates_json_that_is_none(judged: Path, damaged: str) -> None:
    (judged / "reports/gates.json").write_text(damaged)
    shown = duli(judged, "gates")
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 1)
    assert "reports/gates.json" in shown.stderr
    assert "dvc repro" in shown.stderr


def test_gates_lists_what_a_gate_can_name(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    assert "evaluation.accuracy.low\n" in duli(tmp_path, "gates", "--measures").stdout


@pytest.mark.parametrize(
    "command", ["check", "gates", "plan", "show", "report", "portfolio", "releases"]
)
def test_an_empty_folder_gets_one_line_with_the_fix(tmp_path: Path, command: str) -> None:
    shown = duli(tmp_path, command)
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1
    assert "dvc repro" in shown.stderr or "params.yaml" in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_plan_says_what_training_costs_for_the_dataset_not_yet_prepared(tmp_path: Path) -> None:
    params = (ROOT / "params.yaml").read_text().replace("name: fastconv", "name: mlp")
    (tmp_path / "params.yaml").write_text(
        params.replace("\ntrain:", "\ntrain:\n  precision: float32\n  micro_batch: 32")
    )
    shown = duli(tmp_path, "plan")
    assert shown.returncode == 0
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert (
        "mlp: image of channels 1, height 28, width 28 -> 10 outputs (dataset mnist, not prepared"
        " yet)" in lines
    )
    assert "parameters 8,910" in lines
    assert "forward 17.68 kFLOP an example" in lines  # 2 * (784 * 10 + 10 * 50 + 50 * 10)
    assert "optimizer 0.07 MB adamw: 2 float32 a parameter" in lines
    assert "examples - not counted: their number is not known before they are prepared" in lines
    assert any(
        line.startswith("activations") and line.endswith("32 examples, float32") for line in lines
    )
    assert any(line.startswith("here fits: cpu with ") for line in lines)
    assert "GPUs of 24 GB: 1 under DDP, 1 under FSDP" in lines
    assert [file.name for file in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.slow
def test_plan_goes_by_the_prepared_examples_and_says_where_no_gpu_is_large_enough(
    tmp_path: Path,
) -> None:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "data/prepared").mkdir(parents=True)
    splits = {name: {"examples": 1_000_000} for name in ("train", "validation", "test")}
    size = {"channels": 3, "height": 32, "width": 32}
    stats = {
        "dataset": "mnist",
        "classes": ["a", "b"],
        "kind": "image",
        "input": size,
        "splits": splits,
    }
    (tmp_path / "data/prepared/stats.json").write_text(json.dumps(stats))
    shown = duli(tmp_path, "plan", "--gpu-memory", "0.01").stdout
    assert (
        "fastconv: image of channels 3, height 32, width 32 -> 2 outputs (data/prepared/stats.json)"
        in shown
    )
    assert "6,144.00 MB      2,000,000, kept as bytes" in shown
    assert "of 0.01 GB: no number is enough (up to 128, one example each) under DDP" in shown


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf", "much"])
def test_plan_refuses_what_is_no_size(size: str) -> None:
    shown = duli(ROOT, "plan", f"--gpu-memory={size}")
    assert shown.returncode == 2
    assert f"argument --gpu-memory: invalid number of gigabytes value: '{size}'" in shown.stderr


@pytest.mark.slow
def test_plan_tells_an_architecture_that_does_not_suit_the_images(tmp_path: Path) -> None:
    params = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        params.replace("name: fastconv", "name: vit_b_16").replace("patch: 7", "patch: 5")
    )
    shown = duli(tmp_path, "plan")
    assert shown.returncode == 2
    assert (
        shown.stderr
        == "duli: error: model.vit_b_16.patch = 5 does not divide the 28 pixels of the images'"
        " side; take one of 2, 4, 7, 14, 28\n"
    )
