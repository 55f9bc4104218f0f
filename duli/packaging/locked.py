"""The exact libraries of a release with the SHA-256 of their archives, taken from the lock file of
the repository.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from packaging.utils import canonicalize_name

from duli.base.errors import DuliError

FILE = "requirements.lock"


class Pin(NamedTuple):
    """One library of the lock file: its requirement, and the SHA-256 of each of its archives."""

    requirement: str
    digests: tuple[str, ...]


def pins(lock: str, libraries: Mapping[str, str]) -> dict[str, list[Pin]]:
    """The pins in the lock file for `libraries`, name -> version; several if they differ by Python
    or system.

    Raises `DuliError` if it does not pin the version that is installed.
    """
    found: dict[str, list[Pin]] = {name: [] for name in libraries}
    versions: dict[str, set[str]] = {name: set() for name in libraries}
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.replace(" \\\n", "\n")):
        named = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)[^\n]*", block)
        name = canonicalize_name(named[1]) if named else ""
        if named and name in found:
            digests = tuple(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))
            found[name].append(Pin(named[0].strip(), digests))
            versions[name].add(named[2])
    for name, version in libraries.items():
        if version not in versions[name]:
            known = ", ".join(sorted(versions[name])) or "no version"
            raise DuliError(
                f"{name} {version} is installed, {FILE} has {known} of it; run `make venv`, which"
                " installs what it has"
            )
    return found


def requirements(
    pinned: Mapping[str, Iterable[Pin]], wheel: str, digest: str, extras: Iterable[str]
) -> bytes:
    """The file that `pip install --require-hashes -r` takes in the folder of the wheel.

    `digest` is the wheel's SHA-256, `extras` are those whose libraries are pinned too.
    """
    lines = [
        f"# In this folder: pip install --require-hashes -r {FILE}",
        f"./{wheel}[{','.join(sorted(extras))}] \\",
        f"    --hash=sha256:{digest}",
    ]
    for one in (pin for name in sorted(pinned) for pin in pinned[name]):
        lines += [f"{one.requirement} \\", *(f"    --hash={digest} \\" for digest in one.digests)]
        lines[-1] = lines[-1].removesuffix(" \\")
    return "".join(f"{line}\n" for line in lines).encode()
