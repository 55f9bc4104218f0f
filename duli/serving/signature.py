"""Verifies that the publisher's key signed a release's folder, and that the installed package is
the wheel in it.

The signature is OpenSSF model-signing's: a DSSE envelope around an in-toto statement that lists
every file with its SHA-256, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md;
`cryptography`, which an extra of the wheel brings, checks it.
"""

import base64
import hashlib
import io
import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

from .errors import InputError, IntegrityError
from .integrity import MANIFEST

SIGNATURE = "model.sig"  # the one file of the folder that is not signed
PREDICATE = "https://model_signing/signature/v1.0"
MAX_BYTES = 256 * 2**20  # of a file of the release
REMEDY = "do not use it; get it anew from its publisher"


def vouched(release: Path, key: Path, installed: dict[str, bytes], package: str) -> str:
    """The fingerprint of the public key in the file `key`, whose owner signed the folder `release`
    with this very package in it.

    `installed` are the files of the installed package, its manifest included. Raises `InputError`
    for a key or folder that cannot be used, `IntegrityError` where the signature does not hold or
    does not cover what is installed.
    """
    public, fingerprint = _public(key)
    contents = _contents(release)
    if SIGNATURE not in contents:
        raise InputError(
            f"{release} is not signed, it has no {SIGNATURE}; give the folder that the publisher"
            " released"
        )
    listed = _listed(contents.pop(SIGNATURE), public, release / SIGNATURE)
    found = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    if found != listed:
        names = sorted(name for name in {*found, *listed} if found.get(name) != listed.get(name))
        raise IntegrityError(
            f"{release} is not as it was signed: {', '.join(names[:3])} changed, added or missing;"
            f" {REMEDY}"
        )
    wheels = [content for name, content in contents.items() if name.endswith(".whl")]
    if not any(_packed(wheel, package) == installed for wheel in wheels):
        raise IntegrityError(
            f"what is installed here is not the wheel in {release}; install that one (pip install"
            " --force-reinstall)"
        )
    return fingerprint


def _public(path: Path) -> tuple[Any, str]:
    """The key, and the SHA-256 of its DER form (SubjectPublicKeyInfo), as openssl gives it."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
            load_pem_public_key,
        )
    except ModuleNotFoundError:
        name = Path(__file__).parent.name.replace("_", "-")
        raise InputError(
            f"a signature needs cryptography, which an extra brings: pip install '{name}[verify]'"
        ) from None
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give the publisher's public key"
        ) from None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError(
            f"{path} is no public key on P-256 in PEM; give the publisher's (signing.pub)"
        )
    return (
        key,
        hashlib.sha256(
            key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).hexdigest(),
    )


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its path; a link or special file is refused."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the one that holds the release")
    contents = {}
    try:
        for parent, folders, names in os.walk(folder):
            for name in [*names, *(name for name in folders if Path(parent, name).is_symlink())]:
                path = Path(parent, name)
                if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > MAX_BYTES:
                    raise IntegrityError(
                        f"{path} is a link, no regular file, or too large; {REMEDY}"
                    )
                contents[path.relative_to(folder).as_posix()] = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{error.filename} cannot be read ({error.strerror}); make it readable"
        ) from None
    return contents


def _listed(signature: bytes, public: Any, where: Path) -> dict[str, str]:
    """Path -> SHA-256, as the statement lists them, once the signature over it holds."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    damaged = IntegrityError(f"{where} is damaged, or no signature by model-signing; {REMEDY}")
    try:
        envelope = json.loads(signature)["dsseEnvelope"]
        kind, payload = (
            envelope["payloadType"].encode(),
            base64.b64decode(envelope["payload"], validate=True),
        )
        (signed,) = envelope["signatures"]
        public.verify(
            base64.b64decode(signed["sig"], validate=True),
            # DSSE's pre-authentication encoding
            b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload),
            ECDSA(SHA256()),
        )
        statement = json.loads(payload)
        resources = statement["predicate"]["resources"]
        if statement["predicateType"] != PREDICATE or any(
            one["algorithm"] != "sha256" for one in resources
        ):
            raise damaged
        return {one["name"]: one["digest"] for one in resources}
    except InvalidSignature:
        raise IntegrityError(
            f"{where} was not made with the key that you trust, or was altered; {REMEDY}"
        ) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        if isinstance(error, IntegrityError):
            raise
        raise damaged from None


def _packed(wheel: bytes, package: str) -> dict[str, bytes]:
    """The files of `package` in a signed wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return {
            name.removeprefix(f"{package}/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith(f"{package}/")
        }


def installed(folder: Path, contents: dict[str, bytes]) -> dict[str, bytes]:
    """`contents`, the verified files of the package in `folder`, together with the manifest that
    lists them.
    """
    return {**contents, MANIFEST: (folder / MANIFEST).read_bytes()}
