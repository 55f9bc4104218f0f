"""How many commits of the git history make each stage stale, by the code that dvc.yaml lists.

`python -m benchmarks.replay [REVISION ...]` replays the history up to the oldest revision by the
dvc.yaml of each revision given, and of the working tree. Files that have moved since count where
they lie in that revision. A commit makes a stage stale if it changes a file the stage lists.
"""

import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
# The digits, by the names of every dvc.yaml there was.
NAMES = {
    "root": ".",
    "kind": "image",
    "task": "classification",
    "data.dataset": "mnist",
    "model.name": "fastconv",
    "quantize.distilled.model.name": "fastconv",
}

Deps = dict[str, list[str]]  # files and folders of code by stage


def main(revisions: list[str]) -> None:
    commits = _commits(revisions[0] if revisions else "HEAD")
    print(f"{len(commits)} commits, up to {revisions[0] if revisions else 'HEAD'}")
    for revision in [*revisions, None]:
        deps = _deps(revision)
        places = _places(revision or "HEAD")
        stale = dict.fromkeys(deps, 0)
        for commit in commits:
            changed = {places.get((commit, path), path) for path in _changed(commit)}
            for stage, listed in deps.items():
                stale[stage] += any(_below(path, listed) for path in changed)
        lines = sum(map(len, deps.values()))
        counts = ", ".join(f"{stage} {count}" for stage, count in stale.items())
        print(f"{revision or 'working tree'}: {lines} lines of code; stale: {counts}")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def _commits(revision: str) -> list[str]:
    return _git("log", "--no-merges", "--format=%H", revision, "--", "duli", "stages").split()


def _deps(revision: str | None) -> Deps:
    text = (
        (ROOT / "dvc.yaml").read_text(encoding="utf-8")
        if revision is None
        else _git("show", f"{revision}:dvc.yaml")
    )
    for name, value in NAMES.items():
        text = text.replace(f"${{{name}}}", value)
    stages = YAML(typ="safe").load(text)["stages"]
    return {
        stage: [
            path
            for dep in facts["deps"]
            if (path := str(Path(dep))).startswith(("duli/", "stages/"))
        ]
        for stage, facts in stages.items()
    }


def _changed(commit: str) -> list[str]:
    shown = _git("show", "--no-renames", "--name-only", "--format=", commit, "--", "duli", "stages")
    return shown.split("\n")


def _places(revision: str) -> dict[tuple[str, str], str]:
    """(commit, path there) -> path in `revision`, of files that have moved since."""
    places: dict[tuple[str, str], str] = {}
    now: dict[str, str] = {}  # path at the commit at hand -> path in the revision
    shown = _git(
        "log", "-M40", "--name-status", "--format=commit %H", revision, "--", "duli", "stages"
    )
    commit, renamed = "", dict[str, str]()
    for line in [*shown.splitlines(), "commit end"]:
        if line.startswith("commit "):
            # What lies before the renames of a commit is called otherwise from here on.
            now |= renamed
            commit, renamed = line.removeprefix("commit "), {}
            places |= {(commit, path): place for path, place in now.items()}
        elif line.startswith("R"):
            _, old, new = line.split("\t")
            place = now.get(new, new)
            renamed[old] = place
            places[commit, old] = place
    return places


def _below(path: str, deps: list[str]) -> bool:
    return any(path == dep or path.startswith(f"{dep}/") for dep in deps)


if __name__ == "__main__":
    main(sys.argv[1:])
