"""Only a wheel that reproduces its card is released; of anything else nothing stays."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duli.errors import DataError, DuliError, GateError, ParamsError
from duli.files import sha256
from duli.packaging import environment, wheel
from stages import package
from tests.packaging import tiny

WHEEL = "bright_row-1.2.0rc1-py3-none-any.whl"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, and the release line as current folder."""
    (tmp_path / "line").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "line")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacks the wheel beside this Python instead of installing it, which takes a second; the slow tests install."""

    def install(folder: Path, path: Path, _: dict[str, str]) -> None:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / "site")
        program = folder / "bin" / "bright-row"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\nPYTHONPATH='{folder / 'site'}' exec '{sys.executable}' -m bright_row \"$@\"\n")
        program.chmod(0o755)

    monkeypatch.setattr(environment, "install", install)


def refused(temporary: Path, kind: type[Exception], message: str) -> None:
    """Running the stage is refused with `message`, and leaves neither a release nor temporary files."""
    Path("dist").mkdir(exist_ok=True)
    Path("dist/earlier.whl").write_text("an earlier release")
    with pytest.raises(kind, match=message):
        package.main()
    assert not Path("dist").exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("unpacked")
def test_a_release(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = tiny.write_line(Path())
    Path("dist").mkdir()
    Path("dist/earlier.whl").write_text("an earlier release")
    extra = package.main()
    assert {path.name for path in Path("dist").iterdir()} == {WHEEL, "MODEL_CARD.md", "manifest.json"}
    assert list(temporary.iterdir()) == []
    assert set(extra) == {"install_seconds", "reproduce_seconds"}
    assert "it got 60 of 60 test images right, as its card says" in capsys.readouterr().out

    content = Path("dist", WHEEL).read_bytes()
    manifest = json.loads(Path("dist/manifest.json").read_text())
    assert manifest["wheel"] == {"file": WHEEL, "bytes": len(content), "sha256": sha256(content)}
    assert manifest["model"] == {"variant": "int8", "sha256": facts["quantization"]["variants"]["int8"]["sha256"]}
    assert manifest["signed"] is False
    packed = wheel.Wheel(WHEEL, content).contents()
    assert manifest["files"] == {name: sha256(file) for name, file in packed.items()}
    assert packed["bright_row/MODEL_CARD.md"] == Path("dist/MODEL_CARD.md").read_bytes()
    assert packed["bright_row/model.onnx"] == tiny.model()
    about = json.loads(packed["bright_row/release.json"])
    assert (about["classes"], about["model"]["variant"]) == (tiny.CLASSES, "int8")
    assert about["temperature"] == 0.5
    assert about["numbers"]["shipped"] == facts["quantization"]["variants"]["int8"]
    assert not [name for name in packed if name.endswith((".pkl", ".pt", ".pyc"))]


@pytest.mark.usefixtures("unpacked")
def test_the_same_inputs_give_the_same_release(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = []
    for folder in ("one", "an/other"):
        Path(folder).mkdir(parents=True)
        tiny.write_line(Path(folder))
        with monkeypatch.context() as there:
            there.chdir(folder)
            package.main()
            released.append({path.name: path.read_bytes() for path in Path("dist").iterdir()})
    assert released[0] == released[1]


@pytest.mark.usefixtures("unpacked")
def test_a_poisoned_model_is_refused(temporary: Path) -> None:
    """Other bytes than the ones that were measured, and measured ones with another accuracy than the card's."""
    tiny.write_line(Path())
    Path("models/model.int8.onnx").write_bytes(tiny.model(scale=-0.1))
    refused(temporary, DataError, "model.int8.onnx does not have the SHA-256")
    tiny.write_line(Path(), content=tiny.model(scale=-0.1))
    refused(temporary, GateError, r"gets 0 of 60 test images right \(0.0000%\), but its card says 100.0000% of 60; nothing was released")


@pytest.mark.usefixtures("unpacked")
@pytest.mark.parametrize("right", [59, 61])
def test_one_image_more_or_less_is_refused(temporary: Path, right: int) -> None:
    tiny.write_line(Path(), right=right)
    refused(temporary, GateError, "gets 60 of 60 test images right")


@pytest.mark.usefixtures("unpacked")
def test_a_rounded_accuracy_is_the_same_accuracy(temporary: Path) -> None:
    facts = tiny.write_line(Path(), n=61, right=61)
    facts["evaluation"]["accuracy"]["value"] = 0.9999
    tiny.rewrite(Path(), facts)
    package.main()
    facts["evaluation"]["accuracy"]["value"] = 60.5 / 61
    tiny.rewrite(Path(), facts)
    refused(temporary, GateError, "gets 61 of 61")


@pytest.mark.usefixtures("unpacked")
def test_a_model_that_does_not_run_is_refused(temporary: Path) -> None:
    tiny.write_line(Path(), content=b"no model")
    refused(temporary, GateError, "the installed wheel does not predict: .*nothing was released")
    tiny.write_line(Path(), content=tiny.model(scale=float("nan")))
    refused(temporary, GateError, "the installed wheel does not predict: .*not finite")


@pytest.mark.parametrize(
    ("file", "keys", "value", "message"),
    [
        ("evaluation", ["test_digest"], "f" * 64, "evaluation.json is of another test split"),
        ("model", ["data", "train_digest"], "f" * 64, "model.json is of another train split"),
        ("model", ["classes"], ["a", "b", "c"], "model.json has other classes"),
        ("evaluation", ["variant"], "fp32", "evaluation.json is of another variant"),
        ("benchmark", ["shipped"], "fp32", "benchmark.json is of another variant"),
        ("stats", ["splits", "test", "examples"], 59, "evaluation.json has another n"),
    ],
)
def test_evidence_of_different_runs_is_refused(temporary: Path, file: str, keys: list[str], value: Any, message: str) -> None:
    facts = tiny.write_line(Path())
    inner = facts[file]
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    tiny.rewrite(Path(), facts)
    refused(temporary, GateError, message)


@pytest.mark.usefixtures("unpacked")
def test_a_shorter_test_split_than_the_card_counts_is_refused(temporary: Path) -> None:
    facts = tiny.write_line(Path(), n=30, right=30)
    facts["evaluation"]["accuracy"] |= {"value": 0.5, "n": 60}
    facts["evaluation"]["n"] = 60
    facts["stats"]["splits"]["test"]["examples"] = 60
    tiny.rewrite(Path(), facts)
    refused(temporary, GateError, r"30 of 30 test images right .* but its card says 50\.0000% of 60")


def test_missing_answers_are_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_line(Path())

    def install(folder: Path, path: Path, _: dict[str, str]) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/bright-row").write_text('#!/bin/sh\necho \'{"label": "top"}\'\n')
        (folder / "bin/bright-row").chmod(0o755)

    monkeypatch.setattr(environment, "install", install)
    refused(temporary, GateError, "gave 1 answers to 60 test images")


def test_what_is_missing_is_named(temporary: Path) -> None:
    tiny.write_line(Path())
    Path("reports/quantization.json").unlink()
    refused(temporary, DataError, "reports/quantization.json is missing; run `dvc repro`")
    tiny.write_line(Path())
    Path("params.yaml").write_text(json.dumps({"root": ".", "release": {**tiny.RELEASE, "version": "one"}}))
    refused(temporary, ParamsError, "release.version = 'one'")


def test_an_error_while_installing_leaves_nothing(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_line(Path())

    def install(folder: Path, path: Path, _: dict[str, str]) -> None:
        (folder / "half").mkdir(parents=True)
        raise DuliError("no space")

    monkeypatch.setattr(environment, "install", install)
    refused(temporary, DuliError, "no space")


@pytest.mark.usefixtures("unpacked")
def test_an_error_while_writing_leaves_nothing(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_line(Path())

    def write_text(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(package.files, "write_text", write_text)
    refused(temporary, OSError, "No space left")


@pytest.mark.slow
def test_the_wheel_in_a_bare_environment(temporary: Path) -> None:
    """Installed as a customer would: it predicts, verifies, and refuses itself once a byte is changed."""
    tiny.write_line(Path(), n=5000, right=5000)
    package.main()
    environment.install(Path("venv").absolute(), Path("dist", WHEEL).absolute(), environment.closure("numpy", "onnxruntime"))
    program = Path("venv/bin/bright-row").absolute()

    def run(*arguments: str, feed: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}  # writes bytecode caches, too
        return subprocess.run([program, *arguments], cwd="/", env=variables, input=feed, capture_output=True, check=False)

    buffer = io.BytesIO()
    np.save(buffer, tiny.images(7))
    for _ in range(2):  # the second time with the bytecode caches of the first
        answered = run("predict", "--json", "-", feed=buffer.getvalue())
        assert answered.stderr == b""
        assert [json.loads(line)["label"] for line in answered.stdout.splitlines()] == [tiny.CLASSES[index % 3] for index in range(7)]
        assert b"UNSIGNED" in run("verify").stdout
    assert run("info").stdout == Path("dist/MODEL_CARD.md").read_bytes()
    duli = subprocess.run(["venv/bin/python", "-I", "-c", "import duli"], capture_output=True, check=False)
    assert b"No module named 'duli'" in duli.stderr

    (installed,) = Path("venv").glob("lib/*/site-packages/bright_row/model.onnx")
    changed = bytearray(installed.read_bytes())
    changed[100] ^= 1
    installed.unlink()  # perhaps a hard link
    installed.write_bytes(changed)
    for arguments in (["predict", "-"], ["verify"], ["info"]):
        assert run(*arguments, feed=buffer.getvalue()).returncode == 3


@pytest.mark.slow
def test_a_poisoned_model_is_refused_in_a_bare_environment(temporary: Path) -> None:
    tiny.write_line(Path(), content=tiny.model(scale=-0.1))
    refused(temporary, GateError, "gets 0 of 60 test images right")
