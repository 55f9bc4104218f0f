"""The atomic writer under kill, full disk and concurrency, and the one digest."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base import files
from duli.base.errors import DataError


def test_writes_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.bin"
    files.write_bytes(target, b"first")

    def interrupted() -> None:
        with files.atomic(target) as file:
            file.write(b"second, half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_bytes() == b"first"
    assert [path.name for path in target.parent.iterdir()] == ["b.bin"]


def test_full_disk_keeps_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "model.bin"
    files.write_bytes(target, b"good")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"model\.bin"):
        files.write_bytes(target, b"better")
    assert target.read_bytes() == b"good"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_killed_writer_leaves_the_old_file_and_its_leftover_is_swept(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    files.write_text(target, "old")
    code = (
        "import os, signal, sys; from duli.base import files\n"
        "with files.atomic(sys.argv[1]) as f:\n f.write(b'new');"
        " f.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)])
    assert killed.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    assert len(list(tmp_path.glob(".x.json.*.tmp"))) == 1
    files.write_text(target, "newer")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_living_writers_file_is_not_swept(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    with files.atomic(target) as slow:
        slow.write(b"slow")
        files.write_text(target, "quick")
    assert target.read_text() == "slow"


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    files.write_text(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_refuses_what_is_not_finite_and_names_it(tmp_path: Path, number: float) -> None:
    with pytest.raises(DataError, match=r"metrics\.loss\[1\]"):
        files.write_json(tmp_path / "m.json", {"metrics": {"loss": [0.1, number]}})
    assert list(tmp_path.iterdir()) == []


plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


@given(st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("json") / "v.json"
    files.write_json(path, value)
    assert files.read_json(path) == value == json.loads(path.read_text())


def test_reading_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="dvc repro"):
        files.read_json(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(DataError, match="not JSON"):
        files.read_json(tmp_path / "half.json")


def test_one_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"\x00" * 1000)
    digest = files.sha256(path)
    assert digest == files.sha256(b"\x00" * 1000)
    assert files.verified(path, digest) == b"\x00" * 1000
    path.write_bytes(b"\x00" * 500 + b"\x01" + b"\x00" * 499)
    with pytest.raises(DataError, match="SHA-256"):
        files.verified(path, digest)
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        files.verified(path, digest)
