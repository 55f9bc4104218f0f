"""Signs a release's folder with the publisher's key and verifies it, offline, in OpenSSF's format:
one Sigstore bundle over every file.
"""

import base64
import json
import os
import stat
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli.base import files
from duli.base.errors import DataError
from duli.packaging import keys

if TYPE_CHECKING:
    from model_signing.hashing import Config

# model-signing's own default; of the files in the folder it alone is not signed
SIGNATURE = "model.sig"
MAX_BYTES = 10_000_000  # of a signature, which has some 200 a file
SHOWN = 3  # differences named in an error; the rest is counted
ANEW = "do not use it: get the folder anew, or make it anew with `dvc repro --force -s package`"


def signer(public_key: bytes) -> dict[str, str]:
    """The signer for a manifest: algorithm, fingerprint of the public key (PEM), and the tool that
    verifies.

    Raises `DataError` if the key is none on P-256.
    """
    return {
        "algorithm": keys.ALGORITHM,
        "fingerprint": keys.fingerprint(public_key),
        "tool": f"model-signing=={metadata.version('model-signing')}",
    }


def sign(folder: Path, private_key: Path) -> bytes:
    """The signature, a Sigstore bundle in JSON, by the key in the file `private_key` over every
    file in `folder` but a model.sig.

    ECDSA draws a random number: two signatures over the same files differ, and both verify. Raises
    `DataError` for an unusable key (`keys.public_of`) and for a folder without files, or with
    links, special files, empty folders or unprintable names.
    """
    keys.public_of(private_key)
    folder = folder.resolve()
    if not _found(folder) - {SIGNATURE}:
        raise DataError(f"{folder} holds nothing to sign; make the release with `dvc repro`")
    from model_signing import signing

    with tempfile.TemporaryDirectory(prefix="duli-signing-") as name:
        place = Path(name) / SIGNATURE
        signing.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(
            _hashing()
        ).sign(folder, place)
        return place.read_bytes()


def verify(folder: Path, public_key: bytes) -> str:
    """The fingerprint of `public_key` (PEM), whose owner signed `folder`: exactly its files, with
    the signature in its model.sig.

    Raises `DataError` if the key is none on P-256, the signature is missing, damaged, or made
    with another key, or where a file is changed, added, missing, renamed, a link or no regular
    file. Hard links are files; empty folders are refused, as nothing signs them.
    """
    fingerprint = keys.fingerprint(public_key)
    folder = folder.resolve()
    found = _found(folder)
    if SIGNATURE not in found:
        raise DataError(
            f"{folder} is not signed, it has no {SIGNATURE}; set `sign: true` in section release of"
            " params.yaml, run `dvc repro`"
        )
    signature = _content(folder / SIGNATURE)
    from cryptography.exceptions import InvalidSignature

    stranger = (
        f"{folder / SIGNATURE} was not made with the key that is trusted here (SHA-256"
        f" {fingerprint}), or was altered; do not use this release unless you know its key: name"
        f" that public key with {keys.PUBLIC_KEY}"
    )
    try:
        listed = _listed(signature)
        _check(folder, signature, public_key)
    except InvalidSignature:
        raise DataError(stranger) from None
    # What model-signing, and what it is built of, raise of JSON that is no bundle of theirs.
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        if str(error).startswith("Key mismatch"):
            raise DataError(stranger) from None
        if str(error).startswith("Signature mismatch"):
            raise DataError(
                f"{folder} is not as it was signed: {_differences(folder, found, listed)}; {ANEW}"
            ) from None
        raise DataError(
            f"{folder / SIGNATURE} is damaged, or no signature by model-signing; {ANEW}"
        ) from None
    # A signature may itself say what to ignore (model-signing's command line does so with git's
    # files). Ours does not.
    if found - {SIGNATURE} != set(listed):
        raise DataError(
            f"{folder} is not as it was signed: {_differences(folder, found, listed)}; {ANEW}"
        )
    return fingerprint


def _hashing() -> "Config":
    """The hashing settings: every file counts, git's too, and links are refused."""
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _check(folder: Path, signature: bytes, public_key: bytes) -> None:
    """Verifies with model-signing, which reads files, in a folder that nobody else can reach."""
    from model_signing import verifying

    with tempfile.TemporaryDirectory(prefix="duli-signing-") as name:
        place, key = Path(name) / SIGNATURE, Path(name) / "signing.pub"
        place.write_bytes(signature)
        key.write_bytes(public_key)
        verifying.Config().use_elliptic_key_verifier(public_key=key).set_hashing_config(
            _hashing()
        ).verify(folder, place)


def _listed(signature: bytes) -> dict[str, str]:
    """Path -> SHA-256 as the signature lists them; believed only once model-signing has verified
    it.
    """
    envelope = json.loads(signature)["dsseEnvelope"]
    for one in envelope["signatures"]:
        _decoded(one["sig"])
    return {
        entry["name"]: entry["digest"]
        for entry in json.loads(_decoded(envelope["payload"]))["predicate"]["resources"]
    }


def _decoded(text: str) -> bytes:
    """Base64 whose unused last bits are zero, so that no bit of a signature's file can change
    unnoticed.
    """
    content = base64.b64decode(text, validate=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("two spellings of the same bytes")
    return content


def _found(folder: Path) -> set[str]:
    """Every file below `folder`, by its relative path.

    Raises `DataError` if there is something else: a link, a special file, an unprintable name, a
    folder that is empty or unreadable.
    """

    def unreadable(error: OSError) -> None:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}), so nothing can be said of the"
            " release; make it readable"
        )

    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give the one that holds the release")
    found = set()
    for parent, folders, names in os.walk(folder, onerror=unreadable):
        if not folders and not names:
            raise DataError(f"{parent} is empty, and no signature covers an empty folder; {ANEW}")
        for name in [*names, *(name for name in folders if Path(parent, name).is_symlink())]:
            path = Path(parent, name)
            if not stat.S_ISREG(path.lstat().st_mode):
                raise DataError(f"{path} is a link or no regular file; {ANEW}")
            found.add(path.relative_to(folder).as_posix())
    # a byte that is no UTF-8 is none either
    if strange := [name for name in found if not name.isprintable()]:
        raise DataError(
            f"{folder} holds a file whose name is no printable text, {min(strange)!a}; {ANEW}"
        )
    return found


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} is larger than {MAX_BYTES:,} bytes, so it is no signature; {ANEW}")
    return content


def _differences(folder: Path, found: set[str], listed: dict[str, Any]) -> str:
    differences = [
        f"{name} is changed"
        for name in sorted(listed)
        if name in found and files.sha256(folder / name) != listed[name]
    ]
    differences += [f"{name} is missing" for name in sorted(listed) if name not in found]
    differences += [
        f"{name} was added" for name in sorted(found - {SIGNATURE}) if name not in listed
    ]
    rest = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    return "; ".join(differences[:SHOWN]) + rest
