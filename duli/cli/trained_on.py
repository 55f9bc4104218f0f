"""The files that the champion was made with, even if others are here now: a held challenger's, or
newer data.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli.base import files
from duli.base.errors import DataError
from duli.cli import commands
from duli.cli.registered import CHAMPION, MANIFEST

if TYPE_CHECKING:
    from duli.tracking.champion import Record


def champions_line(champion: "Record", needed: Sequence[Path], status: dict[str, Any]) -> Path:
    """A folder that holds the files `needed` of the champion's line, in their places; `status` is
    that of `dvc status`.

    This one, where what lies here is the champion. Else git's history says by which digests DVC
    keeps them, in its cache or its remote. Raises `DataError` if one of them does not know them
    any more.
    """
    if _is(Path(), champion) and not _changed(needed, status):
        return Path()
    from duli.tracking.client.store import repository

    folder = repository(os.environ, Path()) / ".dvc/tmp/duli-champion" / champion.release
    if not folder.exists():
        _bring(champion, (*needed, MANIFEST), folder)
    return folder


def first_named(champion: "Record", form: str) -> str | None:
    """The output of git, in its format `form`, for the commit in which champion.json first names
    this release; None if there is none.
    """
    said = commands.asked("log", f"-S{champion.release}", f"--format={form}", "--", str(CHAMPION))
    return said.splitlines()[-1] if said else None


def _bring(champion: "Record", paths: Sequence[Path], folder: Path) -> None:
    commit = first_named(champion, "%H")
    if commit is None:
        raise DataError(
            f"what lies here is not the champion, and git knows no commit whose {CHAMPION} names"
            f" it; commit {CHAMPION}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        made = Path(name) / "line"
        _get(commit, paths, made)
        if not _is(made, champion):
            raise DataError(
                f"dvc.lock of commit {commit[:8]}, whose {CHAMPION} first names the champion, is of"
                " another release; commit both together"
            )
        shutil.move(made, folder)


def _get(commit: str, paths: Sequence[Path], folder: Path) -> None:
    """Brings files of this line, as they were at a commit, from DVC's cache or its remote into
    `folder`.

    `dvc get` finds no cache for a DVC project that is a folder of another one, as further lines
    are.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as here:
            # a remote may be younger than the commit
            config = {name: here.config[name] for name in ("core", "remote")}
        with Repo(config=config) as repo, repo.switch(commit):
            for path in paths:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                repo.dvcfs.get(str(path), str(folder / path))
    except (DvcException, OSError) as error:
        said = " ".join(str(error).split())[:300]
        raise DataError(
            f"what lies here is not the champion, and {path} of commit {commit[:8]} is not to be"
            f" had: {said}"
        ) from None


def _is(folder: Path, champion: "Record") -> bool:
    """Whether the release in a folder is the champion."""
    manifest = folder / MANIFEST
    return (
        manifest.exists() and files.read_json(manifest)["wheel"]["sha256"] == champion.wheel_sha256
    )


def _changed(needed: Sequence[Path], status: dict[str, Any]) -> bool:
    """Whether a needed file, or a folder that holds one, differs from what the stages that made or
    read it left.
    """
    entries = [
        change for changes in status.values() for change in changes if isinstance(change, dict)
    ]
    changed = {path for change in entries for paths in change.values() for path in paths}
    return any(str(place) in changed for path in needed for place in (path, *path.parents))
