"""A folder is as it was signed, by the key that is trusted, to the last bit; anything else is
refused in one line.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from duli.base.errors import DataError
from duli.packaging import keys, signing
from tests.closure import ROOT
from tests.packaging import pairs


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return pairs.pair(tmp_path)[0]


@pytest.fixture
def public(private: Path) -> bytes:
    return keys.public_of(private)


@pytest.fixture
def dist(tmp_path: Path, private: Path) -> Path:
    return pairs.release(tmp_path / "dist", private)


def refused(folder: Path, public: bytes, message: str | None = None) -> str:
    with pytest.raises(DataError, match=message) as refusal:
        signing.verify(folder, public)
    assert len(str(refusal.value).splitlines()) == 1
    return str(refusal.value)


def test_what_was_signed_is_believed_wherever_it_lies(
    dist: Path, private: Path, public: bytes, tmp_path: Path
) -> None:
    assert signing.verify(dist, public) == keys.fingerprint(public)
    shutil.move(dist, tmp_path / "downloaded")
    assert signing.verify(tmp_path / "downloaded", public) == keys.fingerprint(public)
    (tmp_path / "link").symlink_to("downloaded")
    signing.verify(tmp_path / "link", public)


def test_two_signatures_differ_and_both_verify(dist: Path, private: Path, public: bytes) -> None:
    first = (dist / signing.SIGNATURE).read_bytes()
    second = signing.sign(dist, private)
    assert first != second
    (dist / signing.SIGNATURE).write_bytes(second)
    signing.verify(dist, public)


def test_who_signed(public: bytes) -> None:
    facts = signing.signer(public)
    assert facts == {
        "algorithm": keys.ALGORITHM,
        "fingerprint": keys.fingerprint(public),
        "tool": "model-signing==1.1.1",
    }


def test_every_byte_counts(dist: Path, public: bytes) -> None:
    """Each byte of every file, and every fourth of the signature."""
    flipped = 0
    for path in sorted(path for path in dist.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for index in range(0, len(content), 4 if path.name == signing.SIGNATURE else 1):
            path.write_bytes(
                content[:index] + bytes([content[index] ^ 1 << index % 8]) + content[index + 1 :]
            )
            told = refused(dist, public)
            assert (
                signing.SIGNATURE in told
                if path.name == signing.SIGNATURE
                else f"{path.relative_to(dist)} is changed;" in told
            )
            flipped += 1
        path.write_bytes(content)
    assert flipped > 500
    signing.verify(dist, public)


def test_no_bit_of_a_signature_is_unused(dist: Path, private: Path, public: bytes) -> None:
    """The last character before `=` of a base64 text has bits that mean nothing; model-signing
    takes any.
    """
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spelt = set()
    # a signature has 70 to 72 bytes, three in four such a text; the folder's name varies the
    # payload's
    while spelt < {"payload", "sig"}:
        dist = dist.rename(f"{dist}x")
        text = signing.sign(dist, private).decode()
        for key in re.findall(r'"(\w+)":"[\w+/]+=', text):
            place = text.index("=", text.index(f'"{key}":')) - 1
            other = alphabet[alphabet.index(text[place]) ^ 1]
            (dist / signing.SIGNATURE).write_text(text[:place] + other + text[place + 1 :])
            refused(dist, public, "is damaged, or no signature")
            spelt.add(key)


def added(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(dist: Path) -> None:
        (dist / name).parent.mkdir(parents=True, exist_ok=True)
        make(dist / name)

    change.__name__ = f"{make.__name__} {name}"
    return change


def socketed(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def hard(path: Path) -> None:
    path.hardlink_to(path.parent / "manifest.json")


def soft(path: Path) -> None:
    path.symlink_to("manifest.json")


def replaced(path: Path) -> None:
    """The same bytes, but elsewhere."""
    path.rename(path.parents[1] / "elsewhere")
    path.symlink_to(path.parents[1] / "elsewhere")


def unlinked(path: Path) -> None:
    path.unlink()


CHANGES = {
    "new was added": added("new", Path.touch),
    r"\.gitignore was added": added(".gitignore", Path.touch),
    r"\.git/config was added": added(".git/config", Path.touch),
    r"\.github/x was added": added(".github/x", Path.touch),
    r"sub/deep/model\.sig was added": added("sub/deep/model.sig", Path.touch),
    r"'a\\nb'": added("a\nb", Path.touch),
    r"'\\udcff'": added("\udcff", Path.touch),
    "folder is empty": added("folder", Path.mkdir),
    "hard was added": added("hard", hard),
    "soft is a link": added("soft", soft),
    "manifest.json is a link": added("manifest.json", replaced),
    "out is a link": added("out", lambda path: path.symlink_to("/etc")),
    "pipe is a link or no regular file": added("pipe", os.mkfifo),
    "socket is a link or no regular file": added("socket", socketed),
    "manifest.json is missing": added("manifest.json", unlinked),
    "sub/deep is empty": added("sub/deep/empty", unlinked),
    "manifest.json is missing; Manifest.json was added": lambda dist: (
        dist / "manifest.json"
    ).rename(dist / "Manifest.json"),
    r"sub/\.hidden is missing; bus/\.hidden was added": lambda dist: (
        added("bus/x", Path.touch)(dist),
        (dist / "bus/x").unlink(),
        (dist / "sub/.hidden").rename(dist / "bus/.hidden"),
    ),
}


@pytest.mark.parametrize("message", CHANGES)
def test_another_folder_than_was_signed(dist: Path, public: bytes, message: str) -> None:
    CHANGES[message](dist)
    refused(dist, public, message)


def test_many_differences_are_counted(dist: Path, public: bytes) -> None:
    for name in "abcde":
        (dist / name).touch()
    (dist / "manifest.json").write_text("{}")
    assert (
        "manifest.json is changed; a was added; b was added and 3 more; do not use it"
        in refused(dist, public)
    )


def test_a_folder_that_hides_what_is_in_it(
    dist: Path, public: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scandir(path: Any) -> Any:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    refused(dist, public, r"sub cannot be read \(Permission denied\)")


def test_what_is_no_release(tmp_path: Path, dist: Path, public: bytes) -> None:
    refused(tmp_path / "none", public, "is no folder")
    refused(dist / "manifest.json", public, "is no folder")
    (dist / signing.SIGNATURE).unlink()
    refused(dist, public, r"is not signed, it has no model\.sig; set `sign: true`")
    (dist / signing.SIGNATURE).mkdir()
    (dist / signing.SIGNATURE / "smuggled").touch()  # model-signing would ignore what lies in there
    refused(dist, public, "is not signed")


def test_another_key(tmp_path: Path, dist: Path, public: bytes) -> None:
    _, other = pairs.pair(tmp_path, "other")
    told = refused(dist, other, "was not made with the key that is trusted here")
    assert keys.fingerprint(other) in told
    # The hint at the key is no part of what is signed.
    bundle = json.loads((dist / signing.SIGNATURE).read_text())
    bundle["verificationMaterial"]["publicKey"].pop("hint")
    (dist / signing.SIGNATURE).write_text(json.dumps(bundle))
    refused(dist, other, "was not made with the key that is trusted here")


def test_a_key_that_is_none(dist: Path) -> None:
    p384 = (
        ec.generate_private_key(ec.SECP384R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for key in (b"", b"no key", p384):
        refused(dist, key, "the public key is no")


def test_the_signature_of_another_folder(
    tmp_path: Path, dist: Path, private: Path, public: bytes
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text("another")
    (dist / signing.SIGNATURE).write_bytes(signing.sign(other, private))
    refused(
        dist,
        public,
        r"manifest\.json is changed; \.gitattributes was added; a wheel\.whl was added and 2 more",
    )


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x00",
        b"\xff",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"dsseEnvelope": null}',
        b'{"dsseEnvelope": {"signatures": [], "payload": "e30="}}',
        b'{"dsseEnvelope": {"signatures": [{"sig": 1}]}}',
    ],
)
def test_a_signature_that_is_none(dist: Path, public: bytes, signature: bytes) -> None:
    (dist / signing.SIGNATURE).write_bytes(signature)
    refused(dist, public, r"model\.sig is damaged, or no signature by model-signing; do not use it")


def test_a_bundle_that_lacks_a_part(dist: Path, public: bytes) -> None:
    """Every part of the JSON left out, and replaced by null, a number and a list; what is not
    signed may be missing, and nothing else.
    """
    bundle = json.loads((dist / signing.SIGNATURE).read_text())

    def parts(value: Any, *keys: Any) -> list[tuple[Any, ...]]:
        inner = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else ()
        )
        return [part for key, below in inner for part in ((*keys, key), *parts(below, *keys, key))]

    accepted = set()
    assert len(parts(bundle)) == 12
    for *above, last in parts(bundle):
        for other in (KeyError, None, 7, []):
            changed = json.loads(json.dumps(bundle))
            place = changed
            for key in above:
                place = place[key]
            if other is KeyError:
                del place[last]
            elif place[last] == other:
                continue
            else:
                place[last] = other
            (dist / signing.SIGNATURE).write_text(json.dumps(changed))
            with contextlib.suppress(DataError):
                signing.verify(dist, public)
                accepted.add(last)
    assert accepted <= {"hint", "keyid", "tlogEntries"}


def test_a_bundle_with_a_certificate_instead_of_a_key(dist: Path, public: bytes) -> None:
    bundle = json.loads((dist / signing.SIGNATURE).read_text())
    bundle["verificationMaterial"] = {"certificate": {"rawBytes": "AAAA"}}
    (dist / signing.SIGNATURE).write_text(json.dumps(bundle))
    refused(dist, public, r"model\.sig is damaged, or no signature")


def test_a_signature_too_large_to_read(dist: Path, public: bytes) -> None:
    with (dist / signing.SIGNATURE).open("ab") as file:
        file.truncate(signing.MAX_BYTES + 1)
    refused(dist, public, "larger than 10,000,000 bytes")


def test_a_signature_that_leaves_files_out(dist: Path, private: Path, public: bytes) -> None:
    """The trusted key itself signed it, with model-signing's own defaults, which let anyone add
    git's files.
    """
    from model_signing import hashing
    from model_signing import signing as theirs

    by_default = hashing.Config().set_ignored_paths(paths=[signing.SIGNATURE, "sub"])
    theirs.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(
        by_default
    ).sign(dist, dist / signing.SIGNATURE)
    refused(
        dist,
        public,
        r"\.gitattributes was added; sub/\.hidden was added; sub/deep/empty was added;",
    )
    shutil.rmtree(dist / "sub")
    (dist / ".gitattributes").unlink()
    signing.verify(dist, public)
    (dist / ".gitignore").touch()
    refused(dist, public, r"\.gitignore was added")


def test_a_payload_that_nobody_signed(dist: Path, public: bytes) -> None:
    """A forger can list what he likes, but not sign it."""
    (dist / "manifest.json").write_text("forged")
    bundle = json.loads((dist / signing.SIGNATURE).read_text())
    payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    for entry in payload["predicate"]["resources"]:
        entry["digest"] = signing.files.sha256(dist / entry["name"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    (dist / signing.SIGNATURE).write_text(json.dumps(bundle))
    refused(dist, public, "was not made with the key that is trusted here")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda dist: shutil.rmtree(dist), "is no folder"),
        (lambda dist: [path.unlink() for path in dist.rglob("*") if path.is_file()], "is empty"),
        (
            lambda dist: (
                shutil.rmtree(dist / "sub"),
                [path.unlink() for path in dist.iterdir() if path.suffix != ".sig"],
            ),
            "nothing to sign",
        ),
        (lambda dist: (dist / "soft").symlink_to("manifest.json"), "is a link"),
        (lambda dist: (dist / "empty").mkdir(), "is empty"),
        (lambda dist: (dist / "a\tb").touch(), "no printable text"),
    ],
)
def test_what_cannot_be_signed(
    dist: Path, private: Path, make: Callable[[Path], object], message: str
) -> None:
    make(dist)
    with pytest.raises(DataError, match=message):
        signing.sign(dist, private)


def test_an_unusable_key_signs_nothing(dist: Path, private: Path) -> None:
    private.chmod(0o644)
    with pytest.raises(DataError, match="chmod 600"):
        signing.sign(dist, private)


OFFLINE = """
import sys
from pathlib import Path
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        raise SystemExit(f"network: {event} {arguments}")
sys.addaudithook(hook)
from duli.packaging import keys, signing
loaded = "model_signing" in sys.modules or "cryptography" in sys.modules
dist, private = map(Path, sys.argv[1:])
(dist / signing.SIGNATURE).write_bytes(signing.sign(dist, private))
signing.verify(dist, keys.public_of(private))
print(loaded, [name for name in sys.modules if name.startswith("opentelemetry")])
"""


@pytest.mark.slow
def test_nothing_goes_to_the_network_and_nothing_heavy_loads_before_it_is_needed(
    dist: Path, private: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", OFFLINE, dist, private],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "False []\n", "")
