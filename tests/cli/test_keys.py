"""`duli keygen`: a private key that is whole, its owner's alone, outside repositories, and never
overwritten.
"""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from duli.base.errors import DataError
from duli.cli import keys as command
from duli.packaging import keys
from tests.closure import ROOT

ENTRY = "from duli.cli.main import main; main()"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_CONFIG_HOME", keys.SIGNING_KEY, keys.PUBLIC_KEY):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "home"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o277])
def test_a_pair_for_its_owner(home: Path, capsys: pytest.CaptureFixture[str], umask: int) -> None:
    before = os.umask(umask)
    try:
        command.keygen(None)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    folder = home / ".config/duli"
    assert names(folder) == {"signing.key", "signing.pub"}
    assert (mode(folder), mode(folder / "signing.key")) == (0o700, 0o600)
    public = keys.trusted(os.environ)
    assert (
        keys.public_of(keys.private_place(os.environ))
        == public
        == (folder / "signing.pub").read_bytes()
    )
    told = capsys.readouterr().out
    for passage in (
        f"{folder}/signing.key (mode 0600)",
        f"{folder}/signing.pub",
        keys.fingerprint(public),
        "`sign: true`",
        "then `dvc repro`",
    ):
        assert passage in told
    assert "PRIVATE" not in told


def test_other_places(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    command.keygen(None)
    assert names(tmp_path / "settings/duli") == {"signing.key", "signing.pub"}
    monkeypatch.setenv(keys.SIGNING_KEY, str(tmp_path / "keys/digits.pem"))
    command.keygen(None)
    assert names(tmp_path / "keys") == {"digits.pem", "digits.pub"}
    monkeypatch.chdir(tmp_path)
    command.keygen(Path("with blank"))
    assert names(tmp_path / "with blank") == {"signing.key", "signing.pub"}
    assert (
        f"DULI_SIGNING_KEY='{tmp_path}/with blank/signing.key' dvc repro`"
        in capsys.readouterr().out
    )
    assert not home.exists()


def test_no_key_is_overwritten(home: Path) -> None:
    command.keygen(None)
    folder = home / ".config/duli"
    private = folder / "signing.key"
    kept = private.read_bytes()
    with pytest.raises(DataError, match=r"signing\.key") as refusal:
        command.keygen(None)
    assert "openssl" not in str(refusal.value)
    (folder / "signing.pub").unlink()
    with pytest.raises(DataError, match="openssl") as refusal:
        command.keygen(None)
    subprocess.run(str(refusal.value).split("`")[1], shell=True, check=True, capture_output=True)
    assert keys.trusted(os.environ) == keys.public_of(private)
    private.rename(folder / "moved")
    with pytest.raises(DataError, match=r"signing\.pub"):
        command.keygen(None)
    private.symlink_to("nowhere")
    with pytest.raises(DataError, match="there already"):
        command.keygen(None)
    assert (folder / "moved").read_bytes() == kept


@pytest.mark.parametrize("repository", [".git", ".dvc", "file"])
def test_not_in_a_repository(home: Path, tmp_path: Path, repository: str) -> None:
    if repository == "file":  # as in a worktree or a submodule
        (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    else:
        (tmp_path / repository).mkdir()
    (tmp_path / "inside").mkdir()
    for out in (None, tmp_path, tmp_path / "new/deep"):
        with pytest.raises(DataError, match=str(tmp_path)):
            command.keygen(out)
    assert not home.exists()
    assert not (tmp_path / "new").exists()


def test_a_link_into_a_repository_is_in_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "repository/.git").mkdir(parents=True)
    home.mkdir()
    (tmp_path / "repository/deep").mkdir()
    (home / ".config").symlink_to(tmp_path / "repository/deep")
    for out in (None, home / ".config/keys"):
        with pytest.raises(DataError, match=str(tmp_path / "repository")):
            command.keygen(out)
    assert names(tmp_path / "repository/deep") == set()


@pytest.mark.parametrize("open_to", [0o770, 0o757, 0o1777])
def test_not_where_others_can_put_another(tmp_path: Path, open_to: int) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(open_to)
    with pytest.raises(DataError, match="chmod 700"):
        command.keygen(tmp_path / "shared")
    assert names(tmp_path / "shared") == set()


def test_a_key_that_another_made_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = keys.make

    def slow() -> keys.Pair:
        monkeypatch.setattr(keys, "make", made)
        command.keygen(tmp_path)  # all of another keygen, between this one's look and its key
        return made()

    monkeypatch.setattr(keys, "make", slow)
    with pytest.raises(DataError, match="was made by somebody else just now"):
        command.keygen(tmp_path)
    assert names(tmp_path) == {"signing.key", "signing.pub"}
    assert keys.public_of(tmp_path / "signing.key") == (tmp_path / "signing.pub").read_bytes()


@pytest.mark.slow
def test_one_of_many_at_once_wins(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", ENTRY, "keygen", "--out", tmp_path / "keys"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        for _ in range(4)
    ]  # fmt: skip
    told = [racer.communicate() for racer in racers]
    assert sorted(racer.returncode for racer in racers) == [0, 2, 2, 2]
    for racer, (_, error) in zip(racers, told, strict=True):
        assert racer.returncode == 0 or "a key is never overwritten" in error
    (won,) = (out for racer, (out, _) in zip(racers, told, strict=True) if racer.returncode == 0)
    assert names(tmp_path / "keys") == {"signing.key", "signing.pub"}
    public = keys.public_of(tmp_path / "keys/signing.key")
    assert public == (tmp_path / "keys/signing.pub").read_bytes()
    assert keys.fingerprint(public) in won


@pytest.mark.parametrize("failing", ["hardlink_to", "fsync"])
def test_a_failure_leaves_no_key_nor_half_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(95, "Operation not supported", "somewhere")

    monkeypatch.setattr(
        *((Path, "hardlink_to") if failing == "hardlink_to" else (os, "fsync")), fail
    )
    with pytest.raises(DataError if failing == "hardlink_to" else OSError, match="not supported"):
        command.keygen(tmp_path / "keys")
    assert names(tmp_path / "keys") == set()


def test_no_instant_at_which_others_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at when the key's bytes are written, and when its name appears, with a umask that
    hides nothing.
    """
    seen = []

    def look(real: object, path: Path, *arguments: object) -> object:
        seen.extend(
            (file.name, mode(file))
            for file in tmp_path.rglob("*")
            if file.is_file() and b"PRIVATE" in file.read_bytes()
        )
        return real(path, *arguments)  # type: ignore[operator]

    for place, name in ((os, "fsync"), (os, "fchmod"), (Path, "hardlink_to"), (Path, "replace")):
        real = getattr(place, name)
        monkeypatch.setattr(
            place, name, lambda path, *arguments, real=real: look(real, path, *arguments)
        )
    before = os.umask(0)
    try:
        command.keygen(tmp_path)
    finally:
        os.umask(before)
    assert len(seen) >= 4
    assert {allowed for _, allowed in seen} == {0o600}


def test_where_modes_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = command.files.write_bytes

    def lax(path: Path, content: bytes) -> None:
        write(path, content)
        path.chmod(0o777)

    monkeypatch.setattr(command.files, "write_bytes", lax)
    with pytest.raises(DataError, match="keeps no file for its owner alone"):
        command.keygen(tmp_path)
    assert names(tmp_path) == set()
