"""Compares every file of this package with the manifest it was released with, and fails closed."""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from .errors import InputError, IntegrityError

# the first cannot list itself
MANIFEST, RELEASE, CARD = "manifest.json", "release.json", "MODEL_CARD.md"
SHOWN = 3  # differences named in an error; the rest is counted


def verify(folder: Path) -> dict[str, bytes]:
    """The content of every listed file of the package in `folder`, by its path relative to it.

    Raises `IntegrityError` if a file is changed, missing, a link, or not listed, and where the
    manifest, which cannot list itself, is not byte for byte the one that follows from the files.
    Whoever uses a file uses these bytes, so that nothing can change between the check and the use.
    Python's own caches of listed modules are let pass.
    """
    listed = _listed(folder)
    found = _found(folder, listed)
    try:
        contents = {name: (folder / name).read_bytes() for name in listed if found.get(name)}
    except OSError as error:
        raise IntegrityError(
            f"{error.filename} cannot be read ({error.strerror}); {_remedy(folder)}"
        ) from None
    differences = [f"{name} is missing" for name in listed if name not in found]
    differences += [f"{name} is a link or no regular file" for name in found if not found[name]]
    differences += [
        f"{name} is not listed in {MANIFEST}"
        for name in found
        if name not in listed and name != MANIFEST
    ]
    differences += [
        f"{name} is changed"
        for name, content in contents.items()
        if hashlib.sha256(content).hexdigest() != listed[name]
    ]
    if differences:
        rest = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise IntegrityError(
            f"this package is not as released: {'; '.join(differences[:SHOWN])}{rest} (in"
            f" {folder}); {_remedy(folder)}"
        )
    if (folder / MANIFEST).read_bytes() != _manifest(contents):
        raise IntegrityError(
            f"this package is not as released: {MANIFEST} is changed (in {folder});"
            f" {_remedy(folder)}"
        )
    return contents


def vouch(package: Path, contents: dict[str, bytes], folder: Path | None, key: Path | None) -> str:
    """The state of the signature, which covers the wheel and so cannot lie in the `package`.

    `folder` is what the wheel came in, with its signature, `key` the publisher's public one. Raises
    `IntegrityError` where it does not hold, and `InputError` where one is given without the other.
    """
    release = json.loads(contents[RELEASE])
    if (folder is None) != (key is None):
        raise InputError(
            "--release and --key belong together: the folder with the signature, and the key you"
            " trust; give both or none"
        )
    if folder and key:
        from .signature import installed, vouched

        fingerprint = vouched(folder, key, installed(package, contents), package.name)
        return (
            f"signed by the key with the fingerprint {fingerprint}, and installed from the wheel"
            " that it signed"
        )
    if release["signature"] is None:
        return (
            "UNSIGNED: this finds damage, not forgery; compare the wheel's SHA-256 with the one its"
            " publisher gave you"
        )
    return (
        f"this finds damage, not forgery; the signature is the file {release['signature']['file']}"
        " beside the wheel, check it with --release FOLDER --key FILE"
    )


def _manifest(contents: dict[str, bytes]) -> bytes:
    """The manifest of these files, as it was written when they were released."""
    release = json.loads(contents[RELEASE])
    digests = {name: hashlib.sha256(contents[name]).hexdigest() for name in sorted(contents)}
    facts = {"name": release["name"], "version": release["version"], "files": digests}
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()


def _listed(folder: Path) -> dict[str, str]:
    try:
        files: Any = json.loads((folder / MANIFEST).read_bytes())["files"]
        if not files or not all(
            isinstance(name, str) and isinstance(digest, str) for name, digest in files.items()
        ):
            raise TypeError
    except FileNotFoundError:
        raise IntegrityError(
            f"{folder} has no {MANIFEST}, so nothing in it can be trusted; {_remedy(folder)}"
        ) from None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise IntegrityError(f"{folder / MANIFEST} is damaged; {_remedy(folder)}") from None
    return dict(files)


def _found(folder: Path, listed: dict[str, str]) -> dict[str, bool]:
    """Every file below `folder` that is not the cache of a listed module -> whether it is a regular
    file.
    """
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in [*files, *(name for name in folders if Path(parent, name).is_symlink())]:
            path = Path(parent, name)
            relative = path.relative_to(folder)
            if not _is_cache(relative, listed):
                found[relative.as_posix()] = stat.S_ISREG(path.lstat().st_mode)
    return found


def _is_cache(path: Path, listed: dict[str, str]) -> bool:
    """Whether Python itself may have written `path`: __pycache__/MODULE.cpython-311.pyc of a listed
    module.
    """
    module = path.parent.parent / f"{path.name.split('.')[0]}.py"
    return path.parent.name == "__pycache__" and ".pyc" in path.name and module.as_posix() in listed


def _remedy(folder: Path) -> str:
    """Names the file: an index may have something else under the same name."""
    return (
        "install the wheel anew (pip install --force-reinstall"
        f" {folder.name}-VERSION-py3-none-any.whl)"
    )
