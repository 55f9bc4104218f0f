"""Identical values give an identical wheel, whatever surrounds the build; nothing is left out and
nothing stays behind.
"""

import email
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from duli.packaging import wheel
from tests.packaging import tiny

CONTENTS = {
    "__init__.py": b"",
    "__main__.py": b"def main():\n    return 0\n",
    "model.onnx": b"\0\1" * 999,
    "manifest.json": b"{}",
    "sub/a.py": b"",
}
REQUIREMENTS = ("numpy>=2.4.6,<3", "onnxruntime>=1.32.0,<2")


def build(card: str = "# Card\n", **contents: bytes) -> wheel.Wheel:
    return wheel.build(tiny.release(), {**CONTENTS, **contents}, card, REQUIREMENTS)


@pytest.fixture(scope="module")
def built() -> wheel.Wheel:
    return build()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another temporary folder: in a git repository that ignores what a wheel is made of, with
    another umask and time.
    """
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.onnx\n*.py\n*.json\n")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name, value in {
        "SOURCE_DATE_EPOCH": "1000000000",
        "TZ": "Asia/Shanghai",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
    }.items():
        monkeypatch.setenv(name, value)
    mask = os.umask(0o077)
    yield folder
    os.umask(mask)


def test_the_same_bytes_from_elsewhere(built: wheel.Wheel, elsewhere: Path) -> None:
    reordered = wheel.build(
        tiny.release(), dict(reversed(CONTENTS.items())), "# Card\n", REQUIREMENTS
    )
    assert reordered == built
    assert list(elsewhere.iterdir()) == []


def test_other_values_give_other_bytes(built: wheel.Wheel) -> None:
    assert build(card="# Other\n") != built
    assert build(**{"model.onnx": b"other"}) != built


def test_everything_is_in_it(built: wheel.Wheel) -> None:
    assert built.name == "bright_row-1.2.0rc1-py3-none-any.whl"
    contents = built.contents()
    assert {
        f"bright_row/{name}": content for name, content in CONTENTS.items()
    }.items() <= contents.items()
    about = "bright_row-1.2.0rc1.dist-info"
    assert {name for name in contents if not name.startswith("bright_row/")} == {
        f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
    }
    assert (
        contents[f"{about}/entry_points.txt"]
        == b"[console_scripts]\nbright-row = bright_row.__main__:main\n"
    )
    described = email.message_from_bytes(contents[f"{about}/METADATA"])
    assert described["Name"] == "bright-row"
    assert described["License-Expression"] == "Apache-2.0"
    assert described.get_all("Requires-Dist") == ["numpy<3,>=2.4.6", "onnxruntime<2,>=1.32.0"]
    text = contents[f"{about}/METADATA"].decode()
    assert 'Summary: Says which row of a tiny image is the "brightest" \\ lightest.' in text
    assert "Zoë & Söhne 🎈" in text
    assert text.endswith("# Card\n")


def test_a_file_that_the_builder_leaves_out_is_noticed(elsewhere: Path) -> None:
    with pytest.raises(AssertionError, match=r"bright_row/__init__.py"):
        build(**{"__pycache__/a.pyc": b"never packed"})
    assert list(elsewhere.iterdir()) == []


def test_extras_are_asked_for_by_name() -> None:
    made = wheel.build(
        tiny.release(),
        CONTENTS,
        "# Card\n",
        REQUIREMENTS,
        {"serve": ("httptools>=0.9", "uvloop>=0.23; platform_system != 'Windows'")},
    )
    described = email.message_from_bytes(made.contents()["bright_row-1.2.0rc1.dist-info/METADATA"])
    assert described.get_all("Provides-Extra") == ["serve"]
    needed = described.get_all("Requires-Dist") or []
    assert len(needed) == 4
    assert [text for text in needed if "httptools" in text] == ["httptools>=0.9; extra == 'serve'"]
