"""A bare environment holds the wheel and what it declares, at this environment's versions; what is
missing is said.
"""

import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from duli.base.errors import DuliError, GateError
from duli.packaging import environment, wheel
from tests.packaging import tiny

LIGHT = {"packaging": metadata.version("packaging")}


def build(folder: Path, *requirements: str) -> Path:
    built = wheel.build(
        tiny.release(),
        {"__init__.py": b"", "__main__.py": b"def main():\n    print('here')\n"},
        "",
        requirements,
    )
    (folder / built.name).write_bytes(built.content)
    return folder / built.name


def test_the_closure_has_all_that_is_needed_and_no_more() -> None:
    pins = environment.closure("numpy", "onnxruntime")
    assert set(pins) == {"numpy", "onnxruntime", "flatbuffers", "packaging", "protobuf"}
    assert pins["onnxruntime"] == metadata.version("onnxruntime")


def test_the_variables_lead_no_python_astray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/work")
    monkeypatch.setenv("VIRTUAL_ENV", "/venv")
    monkeypatch.setenv("KEPT", "1")
    assert {"PYTHONPATH", "VIRTUAL_ENV"}.isdisjoint(environment.clean())
    assert environment.clean()["KEPT"] == "1"


def test_without_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DuliError, match=r"no `uv`.*make install"):
        environment.install(tmp_path / "venv", tmp_path / "a.whl", {})


def test_neither_cache_nor_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(
        DuliError, match=r"needs numpy==.*not in uv's cache.*run this stage once with a network"
    ):
        environment.install(
            tmp_path / "venv", build(tmp_path), {"numpy": metadata.version("numpy")}
        )


def test_nothing_but_the_wheel(tmp_path: Path) -> None:
    environment.install(tmp_path / "venv", build(tmp_path), LIGHT)
    here = subprocess.run(
        [tmp_path / "venv/bin/bright-row"],
        capture_output=True,
        text=True,
        check=True,
        env=environment.clean(),
    )
    assert here.stdout == "here\n"
    for module in ("duli", "numpy", "pip"):
        command = [tmp_path / "venv/bin/python", "-c", f"import {module}"]
        assert (
            subprocess.run(
                command, capture_output=True, check=False, env=environment.clean(), cwd=tmp_path
            ).returncode
            == 1
        )


def test_a_dependency_that_is_not_met_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"declared dependencies are not met.*numpy"):
        environment.install(tmp_path / "venv", build(tmp_path, "numpy>=2"), LIGHT)


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bright_row-1.2.0rc1-py3-none-any.whl").write_bytes(b"no wheel")
    with pytest.raises(GateError, match="the wheel does not install"):
        environment.install(
            tmp_path / "venv", tmp_path / "bright_row-1.2.0rc1-py3-none-any.whl", LIGHT
        )
