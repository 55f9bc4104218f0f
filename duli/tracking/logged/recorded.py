"""Checks that files are still those that dvc.lock was written for: what is logged has to be the
result of one run of the graph.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from duli.base import files
from duli.base.errors import DataError

MOST = 1_000_000  # bytes of a dvc.lock, a few times what a line has
CODE = ("duli/", "stages/")  # folders of code among the dependencies
COMPILED = "__pycache__"  # in .dvcignore


def stages(folder: Path) -> dict[str, Any]:
    """The entries of each stage in the dvc.lock of a folder; empty without one.

    Raises `DataError` if it is no dvc.lock, such as one with the marks of a merge, or one that
    was cut off.
    """
    path = folder / "dvc.lock"
    fix = (
        f"restore it (`git checkout HEAD -- {path}`, or `rm {path}`), then `dvc repro`, which has"
        " the rest in its run cache"
    )
    if not path.exists():
        return {}
    lock, _ = files.read_yaml(path, MOST, DataError, fix)
    found = (
        lock.get("stages", {}) if isinstance(lock, dict) and lock.get("schema") == "2.0" else None
    )
    if not isinstance(found, dict) or not all(map(_is_stage, found.values())):
        raise DataError(f"{path} is not in the form of DVC; {fix}")
    return found


def _is_stage(stage: Any) -> bool:
    """Whether it is an entry of a dvc.lock, as far as it is read here."""
    if not isinstance(stage, dict) or not isinstance(stage.get("params", {}), dict):
        return False
    entries = [entry for kind in ("deps", "outs") for entry in _listed(stage.get(kind, []))]
    params = stage.get("params", {}).values()
    return all(map(_is_entry, entries)) and all(isinstance(values, dict) for values in params)


def _is_entry(entry: Any) -> bool:
    """Whether it names a file, and its md5 is a text: YAML takes digits without quotes for a
    number.
    """
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("path"), str)
        and isinstance(entry.get("md5", ""), str)
    )


def _listed(entries: Any) -> list[Any]:
    return entries if isinstance(entries, list) else [None]


def changed(stages: Mapping[str, Any], folder: Path) -> list[tuple[str, str]]:
    """(stage, path) of each output that is not as this stage made it, or as this later stage read
    it; without those that are missing.

    `stages` are those of a dvc.lock, `folder` is where it lies. An output that is right by itself
    and was read by a later stage in another form is the trace of a `dvc repro` that went only part
    of the way.
    """
    made = {out["path"] for stage in stages.values() for out in stage.get("outs", [])}
    return [
        (name, path)
        for name, path, digest in _entries(stages, "outs", "deps")
        if (path in made or any(path.startswith(f"{above}/") for above in made))
        and md5(folder / path) not in (digest, None)
    ]


def edited(stages: Mapping[str, Any], folder: Path, paths: Sequence[str]) -> list[tuple[str, str]]:
    """(stage, path) of each of these outputs that is not as its stage made it."""
    return [
        (name, path)
        for name, path, digest in _entries(stages, "outs")
        if path in paths and md5(folder / path) != digest
    ]


def code_changed(stages: Mapping[str, Any], folder: Path) -> bool:
    """Whether the code differs from the code that made the outputs."""
    return any(
        path.startswith(CODE) and md5(folder / path) != digest
        for _, path, digest in _entries(stages, "deps")
    )


def md5(path: Path) -> str | None:
    """The md5 that DVC records for a file, or for a folder: that of a JSON list of its files and
    theirs; None if nothing is there.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if path.is_dir():
        inner = sorted(
            (file.relative_to(path).as_posix(), md5(file))
            for file in path.rglob("*")
            if file.is_file() and COMPILED not in file.parts
        )
        listed = json.dumps([{"md5": digest, "relpath": name} for name, digest in inner])
        return f"{hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()}.dir"
    return None


def _entries(stages: Mapping[str, Any], *kinds: str) -> Iterator[tuple[str, str, str]]:
    """(stage, path, md5) of what the stages made or read."""
    for name, stage in stages.items():
        for kind in kinds:
            for entry in stage.get(kind, []):
                if "md5" in entry:
                    yield name, entry["path"], entry["md5"]
