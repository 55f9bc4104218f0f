"""Manifests list every file once, in an order of their own."""

import json

import pytest

from duli.base.files import sha256
from duli.packaging import manifest


def test_of_package() -> None:
    listed = json.loads(manifest.of_package("digits", "1.0", {"b": b"2", "a": b"1"}))
    assert listed == {
        "name": "digits",
        "version": "1.0",
        "files": {"a": sha256(b"1"), "b": sha256(b"2")},
    }
    assert manifest.of_package("digits", "1.0", {"b": b"2", "a": b"1"}) == manifest.of_package(
        "digits", "1.0", {"a": b"1", "b": b"2"}
    )


SIGNER = {"algorithm": "some", "fingerprint": "0af"}


@pytest.mark.parametrize("signer", [None, SIGNER])
def test_of_release(signer: dict[str, str] | None) -> None:
    assert manifest.of_release(
        "digits",
        "1.0",
        ("d.whl", b"wheel"),
        ("int8", "abc"),
        {"digits/a": b"1"},
        signer,
        {"b": "2", "a": "1"},
    ) == {
        "name": "digits",
        "version": "1.0",
        "wheel": {"file": "d.whl", "bytes": 5, "sha256": sha256(b"wheel")},
        "model": {"variant": "int8", "sha256": "abc"},
        "files": {"digits/a": sha256(b"1")},
        "beside": {"a": "1", "b": "2"},
        "signed": signer is not None,
        "signer": signer,
    }
