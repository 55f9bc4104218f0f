"""The package refuses itself when any file is not as released, and uses the bytes it has
checked.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from duli.serving.errors import IntegrityError
from duli.serving.integrity import verify
from tests.packaging import tiny


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return tiny.package(tmp_path / "bright_row")


def test_a_released_package_passes_and_gives_its_bytes(package: Path) -> None:
    contents = verify(package)
    there = {path.relative_to(package).as_posix() for path in package.rglob("*.*")}
    assert set(contents) == there - {"manifest.json"}
    assert contents["model.onnx"] == tiny.model()


def test_every_flipped_byte_of_every_file_is_found(package: Path) -> None:
    for path in sorted(package.rglob("*.*")):
        content = path.read_bytes()
        if path.name == "manifest.json":
            continue  # its own damage: below
        for position in {0, len(content) // 2, len(content) - 1} if content else ():
            changed = bytearray(content)
            changed[position] ^= 1
            path.write_bytes(changed)
            with pytest.raises(IntegrityError, match=f"{path.name} is changed"):
                verify(package)
        path.write_bytes(content + b"\n")
        with pytest.raises(IntegrityError, match=f"{path.name} is changed"):
            verify(package)
        path.write_bytes(content)
    verify(package)


def test_a_flipped_byte_of_the_manifest_is_found(package: Path) -> None:
    path = package / "manifest.json"
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(IntegrityError):
            verify(package)
    path.write_bytes(content)
    verify(package)


def _renamed(package: Path) -> None:
    (package / "model.onnx").rename(package / "other.onnx")


def _linked(package: Path) -> None:
    shutil.move(package / "model.onnx", package.parent / "elsewhere.onnx")
    (package / "model.onnx").symlink_to(package.parent / "elsewhere.onnx")


def _folder_linked(package: Path) -> None:
    (package.parent / "elsewhere").mkdir()
    (package / "extra").symlink_to(package.parent / "elsewhere")


def _nested(package: Path) -> None:
    (package / "extra").mkdir()
    (package / "extra/errors.py").write_text("")


def _strange_cache(package: Path) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__/evil.cpython-311.pyc").write_text("")


def _no_cache(package: Path) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__/errors.so").write_text("")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda package: (package / "model.onnx").unlink(), "model.onnx is missing"),
        (lambda package: (package / "evil.py").write_text(""), "evil.py is not listed"),
        (lambda package: (package / ".hidden").write_text(""), ".hidden is not listed"),
        (_renamed, "model.onnx is missing; other.onnx is not listed"),
        (_linked, "model.onnx is a link"),
        (_folder_linked, "extra is a link"),
        (_nested, "extra/errors.py is not listed"),
        (_strange_cache, "evil.cpython-311.pyc is not listed"),
        (_no_cache, "errors.so is not listed"),
        (
            lambda package: [(package / f"evil{index}").write_text("") for index in range(9)],
            "and 6 more",
        ),
        (lambda package: (package / "manifest.json").unlink(), "has no manifest.json"),
        (lambda package: (package / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (
            lambda package: (package / "manifest.json").write_text("[" * 100_000),
            "manifest.json is damaged",
        ),
        (
            lambda package: (package / "manifest.json").write_text('{"files": {}}'),
            "manifest.json is damaged",
        ),
        (
            lambda package: (package / "manifest.json").write_text('{"files": {"model.onnx": 1}}'),
            "manifest.json is damaged",
        ),
        (
            lambda package: (package / "manifest.json").write_bytes(b"\xff"),
            "manifest.json is damaged",
        ),
    ],
)
def test_damage_is_refused_and_named(
    package: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(package)
    with pytest.raises(IntegrityError, match=message) as refusal:
        verify(package)
    assert "pip install --force-reinstall bright_row-VERSION-py3-none-any.whl" in str(refusal.value)


def test_a_file_taken_off_the_list_is_refused(package: Path) -> None:
    manifest = json.loads((package / "manifest.json").read_text())
    del manifest["files"]["model.onnx"]
    (package / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        verify(package)


def test_the_caches_python_writes_pass(package: Path) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__/predictor.cpython-311.pyc").write_text("")
    (package / "__pycache__/predictor.cpython-311.opt-1.pyc").write_text("")
    verify(package)
