"""What is installed is vouched for only by the key that signed the folder its wheel came in."""

import json
import zipfile
from pathlib import Path

import pytest

from duli.packaging import keys, signing
from duli.serving import __main__ as command
from duli.serving.errors import InputError, IntegrityError
from duli.serving.integrity import verify
from duli.serving.signature import installed, vouched
from tests.packaging import pairs, tiny


@pytest.fixture
def release(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The installed package, the folder with its wheel, signed, and the public key."""
    package = tiny.package(tmp_path / "site/bright_row")
    folder = tmp_path / "dist"
    folder.mkdir()
    with zipfile.ZipFile(folder / "bright_row-1.whl", "w") as archive:
        for path in package.rglob("*.*"):
            archive.write(path, f"bright_row/{path.relative_to(package)}")
        archive.writestr("bright_row-1.dist-info/METADATA", "Name: bright-row")
    (folder / "MODEL_CARD.md").write_text("# A card")
    private = pairs.pair(tmp_path)[0]
    (folder / "model.sig").write_bytes(signing.sign(folder, private))
    return package, folder, keys.beside(private)


def check(package: Path, folder: Path, key: Path) -> str:
    return vouched(folder, key, installed(package, verify(package)), package.name)


def test_a_signed_release_is_vouched_for(release: tuple[Path, Path, Path]) -> None:
    assert check(*release) == keys.fingerprint(release[2].read_bytes())


def test_every_byte_of_the_folder_counts(release: tuple[Path, Path, Path]) -> None:
    _, folder, _ = release
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for position in range(0, len(content), max(1, len(content) // 40)):
            changed = bytearray(content)
            changed[position] ^= 1
            path.write_bytes(changed)
            if path.name == "model.sig" and _same(content, bytes(changed)):
                continue
            with pytest.raises(IntegrityError):
                check(*release)
        path.write_bytes(content)
    check(*release)


def _same(one: bytes, other: bytes) -> bool:
    """Whether two signatures say the same: the file has parts, such as a media type, that nothing
    rests on.
    """
    try:
        return bool(json.loads(one)["dsseEnvelope"] == json.loads(other)["dsseEnvelope"])
    except (ValueError, KeyError):
        return False


def test_files_added_missing_renamed_and_linked(
    release: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    _, folder, _ = release
    card = folder / "MODEL_CARD.md"
    (folder / ".gitignore").touch()
    with pytest.raises(IntegrityError, match=r"\.gitignore changed, added or missing"):
        check(*release)
    (folder / ".gitignore").unlink()
    card.rename(folder / "CARD.md")
    with pytest.raises(IntegrityError, match=r"CARD\.md, MODEL_CARD\.md changed"):
        check(*release)
    (folder / "CARD.md").rename(tmp_path / "elsewhere")
    card.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="is a link"):
        check(*release)


def test_another_package_than_the_signed_one(
    release: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    other = tiny.package(tmp_path / "other/bright_row", tiny.model(scale=-0.1))
    with pytest.raises(IntegrityError, match="what is installed here is not the wheel in"):
        check(other, *release[1:])


def test_another_key(release: tuple[Path, Path, Path], tmp_path: Path) -> None:
    (tmp_path / "stranger").mkdir()
    stranger = keys.beside(pairs.pair(tmp_path / "stranger")[0])
    with pytest.raises(IntegrityError, match="was not made with the key that you trust"):
        check(*release[:2], stranger)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\xff", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"],
)
def test_what_is_no_key(release: tuple[Path, Path, Path], content: bytes) -> None:
    release[2].write_bytes(content)
    with pytest.raises(InputError, match="is no public key on P-256"):
        check(*release)


def test_what_is_missing(release: tuple[Path, Path, Path], tmp_path: Path) -> None:
    package, folder, key = release
    with pytest.raises(InputError, match="cannot be read"):
        check(package, folder, tmp_path / "none")
    with pytest.raises(InputError, match="is no folder"):
        check(package, tmp_path / "none", key)
    (folder / "model.sig").unlink()
    with pytest.raises(InputError, match=r"model\.sig"):
        check(*release)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"dsseEnvelope": {"payload": "x", "payloadType": 5, "signatures": []}}',
    ],
)
def test_what_is_no_signature(release: tuple[Path, Path, Path], content: bytes) -> None:
    (release[1] / "model.sig").write_bytes(content)
    with pytest.raises(IntegrityError, match="is damaged, or no signature"):
        check(*release)


def test_the_command_verifies_with_the_key(
    release: tuple[Path, Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package, folder, key = release
    monkeypatch.setattr(command, "FOLDER", package)
    arguments = ["--release", str(folder), "--key", str(key)]
    assert command.main(["verify", *arguments]) == 0
    fingerprint = keys.fingerprint(key.read_bytes())
    assert (
        f"signed by the key with the fingerprint {fingerprint}, and installed from the wheel that"
        " it signed" in capsys.readouterr().out
    )
    (folder / "MODEL_CARD.md").write_text("forged")
    for name in ("verify", "serve"):
        assert command.main([name, *arguments]) == 3
        out, error = capsys.readouterr()
        assert "MODEL_CARD.md changed, added or missing" in error
        assert "answers at" not in out
