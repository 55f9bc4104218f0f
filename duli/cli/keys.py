"""The key pair that releases are signed with: made once, outside every repository, never
overwritten.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

from duli.base import files
from duli.base.errors import DataError
from duli.packaging import keys

OPTIONS: dict[str, dict[str, Any]] = {
    "--out": {
        "type": Path,
        "metavar": "FOLDER",
        "help": (
            "where to put signing.key and signing.pub (default: where signing looks,"
            f" {keys.SIGNING_KEY} or ~/.config/duli)"
        ),
    }
}


def keygen(out: Path | None) -> None:
    """Makes the key pair that releases are signed with, outside every repository; an existing key
    is never overwritten.

    The private key (mode 0600) stays with whoever signs. The public key is for your customers, who
    get it once and by another way than the releases.
    """
    private = out.resolve() / "signing.key" if out else keys.private_place(os.environ)
    public = keys.beside(private)
    _refuse_repositories(private.parent)
    _refuse_existing(private, public)
    pair = keys.make()
    _keep(pair.private, private)
    # also brings the private key's name to the disk, which is in the same folder
    files.write_bytes(public, pair.public)
    named = f"{keys.SIGNING_KEY}={quote(str(private))} " if out else ""
    print(f"private key  {private} (mode 0600)")
    print(f"public key   {public}")
    print(f"fingerprint  {keys.fingerprint(pair.public)} (SHA-256 of the public key in DER)")
    print(
        "\nnext: keep a copy of the private key in a second safe place: whoever has it signs in"
        f" your name, and nothing can restore it\n      give {public.name} to your customers once,"
        " by another way than your releases\n      set `sign: true` in section release of"
        f" params.yaml, then `{named}dvc repro`"
    )


def _refuse_repositories(folder: Path) -> None:
    place = folder.resolve()
    for above in (place, *place.parents):
        if (above / ".git").exists() or (above / ".dvc").is_dir():
            raise DataError(
                f"{folder} is in the repository {above}, where a private key is committed sooner or"
                " later; use --out FOLDER"
            )


def _refuse_existing(private: Path, public: Path) -> None:
    if os.path.lexists(private):
        lost = (
            ""
            if public.exists()
            else (
                f"; `openssl pkey -in {quote(str(private))} -pubout -out {quote(str(public))}`"
                " writes its public key"
            )
        )
        raise DataError(
            f"{private} is there already, and a key is never overwritten; use it, or make another"
            f" with --out FOLDER{lost}"
        )
    if os.path.lexists(public):
        raise DataError(
            f"{public} is there without its private key {private}; move it away, or use --out"
            " FOLDER"
        )


def _keep(content: bytes, private: Path) -> None:
    """The private key appears whole and for its owner alone; raises `DataError` if another one
    got there first.
    """
    folder = private.parent
    with _for_the_owner_alone():
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o022:
            raise DataError(
                f"other users may replace files in {folder}; run `chmod 700 {quote(str(folder))}`,"
                " or use --out FOLDER"
            )
        with tempfile.TemporaryDirectory(dir=folder, prefix=".keygen-") as name:
            fresh = Path(name) / private.name
            files.write_bytes(fresh, content)
            if fresh.stat().st_mode & 0o077:
                raise DataError(
                    f"the file system of {folder} keeps no file for its owner alone; use --out"
                    " FOLDER on another one"
                )
            try:
                private.hardlink_to(fresh)  # a rename would overwrite
            except FileExistsError:
                raise DataError(
                    f"{private} was made by somebody else just now, and a key is never overwritten;"
                    " use that one"
                ) from None
            except OSError as error:
                raise DataError(
                    f"the file system of {folder} cannot keep the key ({error.strerror}); use --out"
                    " FOLDER on another"
                ) from None


@contextlib.contextmanager
def _for_the_owner_alone() -> Iterator[None]:
    mask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(mask)
