"""Key pairs and signed folders for tests."""

from pathlib import Path

from duli.packaging import keys, signing


def pair(folder: Path, name: str = "signing") -> tuple[Path, bytes]:
    """A new key pair in `folder`: the private key's file, and the public key."""
    made = keys.make()
    private = folder / f"{name}.key"
    private.touch(0o600)
    private.write_bytes(made.private)
    keys.beside(private).write_bytes(made.public)
    return private, made.public


def release(folder: Path, private: Path) -> Path:
    """A small signed folder."""
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"name": "digits"}\n')
    (folder / "a wheel.whl").write_bytes(bytes(range(0, 256, 5)))
    (folder / "sub/.hidden").write_text("x")
    (folder / ".gitattributes").write_text("* -text")
    (folder / "sub/deep/empty").touch()
    (folder / signing.SIGNATURE).write_bytes(signing.sign(folder, private))
    return folder
