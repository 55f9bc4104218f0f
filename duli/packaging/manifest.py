"""Lists the contents of a package or a wheel by SHA-256."""

import json
from collections.abc import Mapping
from typing import Any

from duli.base.files import sha256

PROVENANCE, SBOM = "provenance.intoto.json", "sbom.cdx.json"
# Beside the wheel these two name the commit, or its time: no manifest lists them, and a release is
# not known by them.
OF_THE_COMMIT = (PROVENANCE, SBOM)


def of_package(name: str, version: str, contents: Mapping[str, bytes]) -> bytes:
    """The manifest that travels inside the package and that `duli/serving/integrity.py` compares
    its files with.
    """
    facts = {"name": name, "version": version, "files": digests(contents)}
    return encoded(facts)


def of_release(
    name: str,
    version: str,
    wheel: tuple[str, bytes],
    model: tuple[str, str],
    contents: Mapping[str, bytes],
    signer: Mapping[str, str] | None,
    beside: Mapping[str, str],
) -> dict[str, Any]:
    """The manifest that stands beside the wheel: `wheel` is its file name and bytes, `model` the
    variant and its SHA-256.

    `beside` are the files of its folder (path -> SHA-256). `signer` says whose signature that
    folder gets, None that it gets none.
    """
    file, content = wheel
    variant, digest = model
    return {
        "name": name,
        "version": version,
        "wheel": {"file": file, "bytes": len(content), "sha256": sha256(content)},
        "model": {"variant": variant, "sha256": digest},
        "files": digests(contents),
        "beside": dict(sorted(beside.items())),
        "signed": signer is not None,
        "signer": dict(signer) if signer else None,
    }


def digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Path -> SHA-256, in the order of the paths."""
    return {path: sha256(contents[path]) for path in sorted(contents)}


def encoded(facts: Mapping[str, Any]) -> bytes:
    """`facts` as the JSON that every paper of a release is written in."""
    return (json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
