"""The publisher's key pair: its location, generation, reading and fingerprint."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from duli.base.errors import DataError, ParamsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

ALGORITHM = "ECDSA P-256 with SHA-256"
# environment variables that name files
SIGNING_KEY, PUBLIC_KEY = "DULI_SIGNING_KEY", "DULI_PUBLIC_KEY"
MAX_BYTES = 100_000


class Pair(NamedTuple):
    """A key pair as PEM: the private key unencrypted (PKCS #8), the public one as
    SubjectPublicKeyInfo.
    """

    private: bytes
    public: bytes


def make() -> Pair:
    """A new key pair on the curve P-256, from the system's random numbers."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    return Pair(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), _pem(key.public_key())
    )


def private_place(environment: Mapping[str, str]) -> Path:
    """The path of the private key: the file DULI_SIGNING_KEY, else `duli/signing.key` in the user's
    settings (XDG_CONFIG_HOME or ~/.config).

    Raises `ParamsError` if the variable is no absolute path to a private key, or where there is
    no home either.
    """
    if (named := _named(environment, SIGNING_KEY)) is not None:
        if named.suffix == ".pub":
            raise ParamsError(
                f"{SIGNING_KEY} = {str(named)!r} is the place of a public key; give that of the"
                " private one"
            )
        return named
    settings = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not settings.is_absolute():  # the XDG standard says: ignore a relative one
        home = Path(environment.get("HOME", ""))
        if not home.is_absolute():
            raise ParamsError(
                "HOME is not set, so there is no default place for keys; name the private key's"
                f" file with {SIGNING_KEY}"
            )
        settings = home / ".config"
    return settings / "duli" / "signing.key"


def public_place(environment: Mapping[str, str]) -> Path:
    """The path of the public key that releases are trusted by: the file DULI_PUBLIC_KEY, else the
    one beside the private key.

    Raises `ParamsError` as `private_place` does.
    """
    return _named(environment, PUBLIC_KEY) or beside(private_place(environment))


def beside(private: Path) -> Path:
    """The public key's file that belongs to the private key's."""
    return private.parent / f"{private.stem}.pub"


def public_of(private: Path) -> bytes:
    """The public key (PEM) of the private key in the file `private`.

    Raises `DataError` if there is no readable file, others may read it, or it holds no
    unencrypted key on P-256.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(private, "signing key", SIGNING_KEY)
    if private.stat().st_mode & 0o077:
        raise DataError(
            f"other users of this machine may use the signing key {private}; run `chmod 600"
            f" {quote(str(private))}`"
        )
    if b"PRIVATE KEY-----" not in content and b"PUBLIC KEY-----" in content:
        raise DataError(f"{private} holds a public key; name the private one with {SIGNING_KEY}")
    try:
        key = load_pem_private_key(content, None)
    except TypeError:
        raise DataError(
            f"the signing key {private} is encrypted, and nobody is there to type its passphrase;"
            f" keep it decrypted in a place of its own (openssl pkey -in {quote(str(private))} -out"
            f" NEW) and name that with {SIGNING_KEY}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise DataError(
            f"{private} is no private key in PEM, or a damaged one; restore it, or make another"
            " with `duli keygen`"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DataError(f"{private} is no elliptic-curve key on P-256; make one with `duli keygen`")
    return _pem(key.public_key())


def trusted(environment: Mapping[str, str]) -> bytes:
    """The public key (PEM) that releases are trusted by here.

    Raises `ParamsError` as `public_place` does, `DataError` where there is no readable file or no
    public key on P-256 in it.
    """
    place = public_place(environment)
    return _pem(_public(_read(place, "public key", PUBLIC_KEY), str(place)))


def fingerprint(public: bytes) -> str:
    """SHA-256 in hex of the public key (PEM) in DER (SubjectPublicKeyInfo); raises `DataError`
    if it is no key on P-256.

    As `openssl pkey -pubin -in signing.pub -outform DER | sha256sum` gives it. The hint in a
    model.sig is another: SHA-256 of the PEM.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = _public(public, "the public key").public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def _named(environment: Mapping[str, str], variable: str) -> Path | None:
    text = environment.get(variable, "").strip()
    if not text:
        return None
    if not Path(text).is_absolute():
        raise ParamsError(
            f"{variable} = {text!r} is no absolute path; give one from / on, which means the same"
            " file in every folder"
        )
    return Path(text)


def _read(path: Path, kind: str, variable: str) -> bytes:
    try:
        if not path.is_file():
            state = "is no file" if path.exists() else "is missing"
            raise DataError(
                f"the {kind} {path} {state}; name the file with {variable}, or make a key pair with"
                " `duli keygen`"
            )
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(
            f"the {kind} {path} cannot be read ({error.strerror}); make it readable for you, or"
            f" name another with {variable}"
        ) from None
    if not content.strip() or len(content) > MAX_BYTES:
        state = "is empty" if len(content) <= MAX_BYTES else "is too large for a key"
        raise DataError(f"the {kind} {path} {state}; restore it, or name another with {variable}")
    return content


def _public(content: bytes, name: str) -> "EllipticCurvePublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY-----" in content:
        raise DataError(
            f"{name} holds a private key, which stays with whoever signs; give its public key"
            " (.pub)"
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise DataError(
            f"{name} is no public key in PEM, or a damaged one; get the publisher's signing.pub"
            " anew"
        ) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DataError(
            f"{name} is no elliptic-curve key on P-256, as releases are signed with; get the"
            " publisher's signing.pub"
        )
    return key


def _pem(key: "EllipticCurvePublicKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
