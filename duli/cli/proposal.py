"""Proposes the result of `duli retrain`: one branch of a fixed name, and the text of one pull
request.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from duli.base import files
from duli.base.errors import DataError, GateError
from duli.cli import commands
from duli.cli.intake import ACCEPTED, INCOMING, QUARANTINED
from duli.cli.registered import CHAMPION, champions
from duli.cli.retrain import DECIDE, DECISION, HELD, PROPOSED, TABLE, branch
from duli.tracking.logged import recorded

REMOTE = "origin"
TITLE, BODY, PLOTS = (
    Path("reports/retrain/title.txt"),
    Path("reports/retrain/proposal.md"),
    Path("reports/retrain/plots"),
)
REPORT = Path("reports/report.md")
PROPOSABLE = ("dvc.lock", INCOMING, ACCEPTED, QUARANTINED)
WHO = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "duli"), ("EMAIL", "duli@localhost"))
}
MOST = 60_000  # characters of a pull request's text; GitHub takes 65,536


def propose() -> None:
    """Pushes the last result of `duli retrain`, proposed or held, to origin's branch duli/retrain,
    and writes the text of a pull request.

    The branch has one commit on top of the one that was decided on: dvc.lock, accepted data, and
    champion.json as it will be once merged. It is made beside the work tree, which stays as it is,
    and is the same commit for the same result. Data goes to the DVC remote first.
    """
    decided = files.read_json(DECISION, DECIDE) if DECISION.exists() else {}
    state, base = decided.get("outcome"), decided.get("base")
    for path in (TITLE, BODY):
        path.unlink(missing_ok=True)
    if state not in (PROPOSED, HELD):
        print(
            f"nothing to propose: {'`duli retrain` has not run here' if state is None else state}"
        )
        return
    recorded.stages(Path())  # which is proposed
    head = commands.git("rev-parse", "HEAD")
    if base != head:
        raise DataError(
            f"the last retraining was of commit {str(base)[:8]}, this is {head[:8]}; run `duli"
            " retrain` again"
        )
    target = branch()
    if commands.asked("branch", "--show-current") == target:
        raise GateError(f"this is {target} itself; propose from the branch that it is merged into")
    if commands.dvc("remote", "list"):
        commands.dvc_shown("push", "--run-cache")
    commit = _commit(head, decided)
    if commit is None:
        print("nothing to propose: the commit has it all")
        return
    files.write_text(TITLE, f"{_title(decided)}\n")
    files.write_text(BODY, _body(decided))
    there = (commands.git("ls-remote", REMOTE, f"refs/heads/{target}").split() or [""])[0]
    if there != commit:
        commands.git("push", "--quiet", "--force", REMOTE, f"{commit}:refs/heads/{target}")
    print(
        f"{REMOTE} {target} is {commit[:8]}{' already' if there == commit else ''}:"
        f" {_title(decided)}; its text is {BODY}"
    )


def _commit(head: str, decided: dict[str, Any]) -> str | None:
    """A commit on `head` with the result, in the object store alone; None if it would change
    nothing.

    Its dates are those of `head`, so that the same result is the same commit.
    """
    with tempfile.TemporaryDirectory(prefix="duli-index-") as folder:
        own = {"GIT_INDEX_FILE": f"{folder}/index"}
        commands.git("read-tree", head, environment=own)
        commands.git(
            "add",
            "--all",
            "--",
            *(str(path) for path in PROPOSABLE if Path(path).exists()),
            environment=own,
        )
        if decided["record"]:
            content = (
                json.dumps(
                    {"champion": decided["record"], "previous": _champion()},
                    indent=2,
                    ensure_ascii=False,
                )
                + "\n"
            )
            blob = commands.git("hash-object", "-w", "--stdin", text=content)
            path = commands.git("rev-parse", "--show-prefix") + str(CHAMPION)
            commands.git("update-index", "--cacheinfo", f"100644,{blob},{path}", environment=own)
        tree = commands.git("write-tree", environment=own)
    if tree == commands.git("rev-parse", f"{head}^{{tree}}"):
        return None
    date = commands.git("show", "--no-patch", "--format=%cI", head)
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    message = f"{_title(decided)}\n\n{decided['reason']}\n"
    return commands.git("commit-tree", tree, "-p", head, text=message, environment={**WHO, **dates})


def _champion() -> dict[str, Any] | None:
    champion = champions().champion
    return champion.model_dump() if champion else None


def _title(decided: dict[str, Any]) -> str:
    fired = ", ".join(row["trigger"] for row in decided["rows"] if row["fired"])
    if decided["outcome"] == HELD:
        return f"Held, not for release: retraining ({fired})"
    return (
        f"Retraining proposed: {'a new champion' if decided['record'] else 'the same model'}"
        f" ({fired})"
    )


def _body(decided: dict[str, Any]) -> str:
    """Decision, metrics beside those of the commit it is based on, where the plots are, and the
    report.
    """
    metrics = commands.dvc("metrics", "diff", "--md", "--all", "HEAD") or "No metric changed."
    merging = {
        PROPOSED: (
            "Merging this promotes the release: the next job moves MLflow's alias to what"
            " `champion.json` then names."
            if decided["record"]
            else "Merging this brings `dvc.lock` up to date; the champion stays."
        ),
        HELD: "Do not merge this to release it: the champion stays, whatever is merged here.",
    }[decided["outcome"]]
    plots = "not drawn"
    if commands.dvc_shown("plots", "diff", "HEAD", "--out", str(PLOTS)):
        plots = (
            f"`{PLOTS}/index.html`, kept with the job that made this; `dvc pull && dvc plots diff"
            f" {decided['base'][:8]}` draws them anew"
        )
    parts = [
        TABLE.read_text(encoding="utf-8").strip(),
        merging,
        "## Metrics",
        metrics,
        f"Plots: {plots}.",
        REPORT.read_text(encoding="utf-8"),
    ]
    body = "\n\n".join(parts) + "\n"
    return (
        body if len(body) <= MOST else f"{body[:MOST]}\n\n(cut; all of it is reports/report.md)\n"
    )
