"""A key is used only if it is the right kind, whole, and nobody else's; everything else is one line
with the fix.
"""

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from duli.base.errors import DataError, ParamsError
from duli.packaging import keys
from tests.packaging import pairs

FORMATS = {"pkcs8": PrivateFormat.PKCS8, "sec1": PrivateFormat.TraditionalOpenSSL}
STRANGERS = {
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "RSA": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def kept(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "some.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def one_line(refusal: pytest.ExceptionInfo[Exception]) -> str:
    text = str(refusal.value)
    assert len(text.splitlines()) == 1
    return text


def test_a_pair_belongs_together_and_no_other_pair_is_the_same(tmp_path: Path) -> None:
    private, public = pairs.pair(tmp_path)
    assert keys.public_of(private) == public
    assert keys.public_of(pairs.pair(tmp_path, "other")[0]) != public
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize("kind", FORMATS)
def test_both_usual_forms_of_a_private_key_are_read(tmp_path: Path, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert (
        keys.public_of(
            kept(tmp_path, key.private_bytes(Encoding.PEM, FORMATS[kind], NoEncryption()))
        )
        == public
    )


def test_the_fingerprint_is_that_of_openssl(tmp_path: Path) -> None:
    private, public = pairs.pair(tmp_path)
    command = ["openssl", "pkey", "-pubin", "-in", str(keys.beside(private)), "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    assert keys.fingerprint(public) == hashlib.sha256(der).hexdigest()
    assert keys.fingerprint(public.replace(b"\n", b"\r\n")) == keys.fingerprint(public)


def test_where_keys_lie() -> None:
    home = {"HOME": "/home/me"}
    assert keys.private_place(home) == Path("/home/me/.config/duli/signing.key")
    assert keys.public_place(home) == Path("/home/me/.config/duli/signing.pub")
    assert keys.private_place({**home, "XDG_CONFIG_HOME": "/settings"}) == Path(
        "/settings/duli/signing.key"
    )
    assert keys.private_place({**home, "XDG_CONFIG_HOME": "settings"}) == Path(
        "/home/me/.config/duli/signing.key"
    )
    named = {**home, "XDG_CONFIG_HOME": "/settings", "DULI_SIGNING_KEY": " /run/secrets/release "}
    assert keys.private_place(named) == Path("/run/secrets/release")
    assert keys.public_place(named) == Path("/run/secrets/release.pub")
    assert keys.public_place({**named, "DULI_PUBLIC_KEY": "/etc/theirs.pem"}) == Path(
        "/etc/theirs.pem"
    )
    assert keys.public_place({"DULI_PUBLIC_KEY": "/etc/theirs.pem"}) == Path("/etc/theirs.pem")
    assert keys.private_place({**home, "DULI_SIGNING_KEY": ""}) == Path(
        "/home/me/.config/duli/signing.key"
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "HOME is not set"),
        ({"HOME": "~"}, "HOME is not set"),
        (
            {"HOME": "/h", "DULI_SIGNING_KEY": "keys/my.key"},
            "DULI_SIGNING_KEY = 'keys/my.key' is no absolute path",
        ),
        ({"HOME": "/h", "DULI_SIGNING_KEY": "~/my.key"}, "no absolute path"),
        ({"HOME": "/h", "DULI_SIGNING_KEY": "/h/my.pub"}, "is the place of a public key"),
        (
            {"HOME": "/h", "DULI_PUBLIC_KEY": "my.pub"},
            "DULI_PUBLIC_KEY = 'my.pub' is no absolute path",
        ),
    ],
)
def test_a_place_that_is_none(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        keys.public_place(environment)


def test_a_private_key_that_is_none(tmp_path: Path) -> None:
    private, public = pairs.pair(tmp_path)
    encrypted = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    legacy = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret")
    )
    for content, message in (
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"x" * 100_001, "too large for a key"),
        (b"no key", "is no private key in PEM, or a damaged one"),
        (private.read_bytes()[:-60], "damaged"),
        (private.read_bytes().replace(b"MIG", b"MIH"), "damaged"),
        (b"\xff\x00", "damaged"),
        (public, "holds a public key; name the private one"),
        (encrypted, "is encrypted.*openssl pkey -in"),
        (legacy, "is encrypted"),
        *(
            (
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
                "no elliptic-curve key on P-256",
            )
            for key in STRANGERS.values()
        ),
    ):
        with pytest.raises(DataError, match=message) as refusal:
            keys.public_of(kept(tmp_path, content))
        assert "some.key" in one_line(refusal)


def test_a_private_key_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, _ = pairs.pair(tmp_path)
    with pytest.raises(
        DataError,
        match=(r"DULI_SIGNING_KEY.*`duli keygen`"),
    ):
        keys.public_of(tmp_path / "none.key")
    with pytest.raises(DataError, match="is no file"):
        keys.public_of(tmp_path)

    def refuse(self: Path, _: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        keys.public_of(private)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_private_key_that_others_can_use(tmp_path: Path, mode: int) -> None:
    private, public = pairs.pair(tmp_path)
    private.chmod(mode)
    with pytest.raises(DataError, match="run `chmod 600 "):
        keys.public_of(private)
    private.chmod(0o400)
    assert keys.public_of(private) == public


def test_the_public_key_that_is_trusted(tmp_path: Path) -> None:
    private, public = pairs.pair(tmp_path)
    environment = {"DULI_SIGNING_KEY": str(private)}
    assert keys.trusted(environment) == public
    load_pem_public_key(keys.trusted(environment))
    _, other = pairs.pair(tmp_path, "other")
    assert keys.trusted({**environment, "DULI_PUBLIC_KEY": str(tmp_path / "other.pub")}) == other
    for content, message in (
        (b"", "is empty"),
        (b"no key", "is no public key in PEM"),
        (public[:-60], "damaged"),
        (private.read_bytes(), "holds a private key, which stays with whoever signs"),
        *(
            (
                key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                "no elliptic-curve key on P-256",
            )
            for key in STRANGERS.values()
        ),
    ):
        keys.beside(private).write_bytes(content)
        with pytest.raises(DataError, match=message) as refusal:
            keys.trusted(environment)
        assert "signing.pub" in one_line(refusal)
    keys.beside(private).unlink()
    with pytest.raises(
        DataError,
        match=r"signing\.pub.*DULI_PUBLIC_KEY",
    ):
        keys.trusted(environment)
