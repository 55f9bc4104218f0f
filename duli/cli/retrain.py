"""`duli retrain`: decides whether this line has to train again, and keeps the decision for `duli
propose`.
"""

import contextlib
import datetime
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from duli.base import files, rooms
from duli.base.errors import EXIT_HELD, DataError, DuliError, GateError
from duli.cli import commands
from duli.cli.intake import ACCEPTED, INCOMING, QUARANTINED, Window, accept, look
from duli.cli.registered import CHAMPION, MANIFEST, champions, remember_champion
from duli.cli.trained_on import champions_line, first_named

if TYPE_CHECKING:
    from duli.retraining.decision import New, Row, Verdict
    from duli.retraining.params import Retrain
    from duli.tracking.champion import Champions, Record

BRANCH = "duli/retrain"  # the one branch that proposals of the default line go to
DECISION = Path("reports/retrain/decision.json")
DECIDE = f"`rm {DECISION}` and run `duli retrain`, which decides anew"
TABLE = Path("reports/retrain/decision.md")
NOTHING, PROPOSED, HELD, FAILED, RUNNING = "nothing to do", "proposed", "held", "failed", "running"
THE_CHAMPION = "the champion's model"
EXIT_PROPOSED = 3
EXIT_CODES = {NOTHING: 0, HELD: EXIT_HELD, PROPOSED: EXIT_PROPOSED}
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Outcome:
    """The outcome of a retraining."""

    state: str
    reason: str
    compared: str = ""  # the paired test, in a sentence
    record: "Record | None" = None  # what champion.json would say; None: the champion stays
    run_id: str | None = None


def retrain(*, explain: bool, as_json: bool, force: str | None) -> None:
    """Trains again where a trigger asks for it, and judges the result against the champion.

    The triggers are: code, params or data have changed, the champion is old, what came in has
    drifted, the champion answers it badly, and --force. Labelled data that passes validation is
    accepted as training data, data that does not is quarantined. Nothing is promoted or pushed:
    `duli propose` puts the result before people. Safe to kill and to repeat; a second one waits for
    the first.

    Exit code 0: nothing to do; 3: proposed, the result may become the champion; 1: held, a gate or
    the paired test refuses it; 2: failed.
    """
    from duli.base.params import Params
    from duli.retraining import decision
    from duli.retraining.params import Retrain

    settings = Params("params.yaml").section("retrain", Retrain)
    if commands.asked("branch", "--show-current") == branch():
        raise GateError(
            f"this is {branch()}, where proposals go; retrain on the branch they are merged into,"
            " or it would go on for ever"
        )
    with _alone():
        if explain or as_json:
            rows, _ = _decide(settings, force, pull=False)
            print(json.dumps(decision.plain(rows), indent=2) if as_json else _aligned(rows))
            return
        rows, windows = _decide(settings, force, pull=True)
        print(_aligned(rows), flush=True)
        outcome = _carried_out(rows, windows, force)
    print(f"\n{outcome.state}: {outcome.reason}")
    sys.exit(EXIT_CODES[outcome.state])


def branch() -> str:
    """The one branch that proposals of this line go to."""
    line = (commands.asked("rev-parse", "--show-prefix") or "").rstrip("/")
    return f"{BRANCH}-{Path(line).name}" if line else BRANCH


def _carried_out(rows: "list[Row]", windows: list[Window], force: str | None) -> Outcome:
    from duli.retraining import decision

    why = "no trigger fired"
    fired = decision.fired(rows)
    if (
        fired
        and "change" not in fired
        and force is None
        and not _new(windows).labelled
        and not decision.stale(commands.dvc_status())
    ):
        why = (
            f"{', '.join(fired)} fired, but code, params and training data are as they were: there"
            " is nothing new to learn from"
        )
        fired = []
    if not fired:
        accept([window for window in windows if window.objection], _track, _forget)  # to quarantine
        return _keep(rows, Outcome(NOTHING, why))
    # from here on a repetition goes by this table
    _keep(rows, Outcome(RUNNING, "a retraining began here and did not end"))
    remember_champion()
    accept(windows, _track, _forget)
    if not commands.dvc_shown(
        "repro",
        *(["--pull"] if _remote() else []),
        *(["--force"] if force is not None else []),
        "dvc.yaml",
    ):
        _keep(rows, Outcome(FAILED, "`dvc repro` stopped"))
        raise DuliError("`dvc repro` stopped, for the reason above; nothing is proposed")
    outcome = _keep(rows, _judged())
    if outcome.run_id:
        _log(rows, outcome)
    return outcome


def _decide(
    settings: "Retrain", force: str | None, *, pull: bool
) -> "tuple[list[Row], list[Window]]":
    """The table, and the windows that came in; that of a retraining which was interrupted here
    stays in force.
    """
    from duli.base.params import Params
    from duli.retraining import decision

    status = _status(mend=pull)
    if pull and (_lacking(status) or _absent()) and _remote():
        commands.dvc_shown("pull", "--run-cache", "--allow-missing")
        status = commands.dvc_status()
    windows = look()
    kept = _interrupted()
    if (
        kept
        and (kept["base"], kept["params"]) == (_head(), files.sha256("params.yaml"))
        and force is None
    ):
        return [decision.Row(**row) for row in kept["rows"]], windows
    known = champions()
    age, why_not = _age(known)
    task = Params("params.yaml").values["task"]
    scored: tuple[Mapping[str, float], str] = {"n": 0}, ""
    if settings.worst_score is not None:
        scored = _scored(windows, known, task)
    return [
        decision.change(decision.stale(status), _new(windows), _pending(known), settings),
        decision.schedule(age, why_not, settings),
        decision.drift(*_verdicts(windows, settings, known.champion, status), settings),
        decision.quality(*scored, settings, rooms.task(task, "task").SCORE),
        decision.manual(force),
    ], windows


def _judged() -> Outcome:
    """Judges the current release against the champion."""
    from duli.cli import evidence, promotion
    from duli.cli.registered import Registered

    settings, required = promotion.settings_of_line()
    line = Registered()
    entry = line.wanted(None)
    which = _known_as(line.champions)
    if which and not _lock_changed():
        return Outcome(
            NOTHING, f"this gives {which} again, byte for byte: there is nothing new to learn from"
        )
    if which == THE_CHAMPION:
        return Outcome(
            PROPOSED,
            "the champion's model again, in a line that has changed around it",
            run_id=entry.run_id,
        )
    try:
        with tempfile.TemporaryDirectory(prefix="duli-retrain-") as folder:
            challenger = evidence.fetch(line.store, entry, Path(folder) / "release")
            found = promotion.weigh(
                line, challenger, Path(folder), settings, required, rejudge=True
            )
    except GateError as error:
        return Outcome(HELD, str(error), run_id=entry.run_id)
    record = promotion.record_of(challenger)
    if found is None:
        return Outcome(
            PROPOSED,
            "all gates passed, and there is no champion yet",
            record=record,
            run_id=entry.run_id,
        )
    compared = f"against the champion on the same test examples: {found.text}"
    return Outcome(
        PROPOSED,
        "all gates passed, and the paired test against the champion",
        compared,
        record,
        entry.run_id,
    )


def _log(rows: "Sequence[Row]", outcome: Outcome) -> None:
    """Keeps the table with the release run in MLflow."""
    from duli.retraining import decision
    from duli.tracking.client import store

    found = store.locate(os.environ, Path())
    with found.answering():
        client = found.client()
        client.log_text(outcome.run_id, _page(rows, outcome), "retraining/decision.md")
        client.set_tag(outcome.run_id, "duli.retrain", outcome.state)
        client.set_tag(outcome.run_id, "duli.retrain_triggers", ",".join(decision.fired(rows)))


def _keep(rows: "Sequence[Row]", outcome: Outcome) -> Outcome:
    from duli.retraining import decision

    record = outcome.record.model_dump() if outcome.record else None
    of = {"base": _head(), "params": files.sha256("params.yaml")}
    said = {
        "outcome": outcome.state,
        "reason": outcome.reason,
        "compared": outcome.compared,
        "record": record,
    }
    files.write_text(TABLE, _page(rows, outcome))
    files.write_json(DECISION, {**said, **of, "rows": decision.plain(rows)})
    return outcome


def _page(rows: "Sequence[Row]", outcome: Outcome) -> str:
    from duli.retraining import decision

    said = "\n\n".join(
        part for part in (f"**{outcome.state}**: {outcome.reason}", outcome.compared) if part
    )
    return f"{said}\n\n{decision.markdown(rows)}"


def _new(windows: Sequence[Window]) -> "New":
    from duli.retraining.decision import New

    usable = [window for window in windows if window.labelled and not window.objection]
    refused = {window.path.name: window.objection for window in windows if window.objection}
    return New(sum(window.examples for window in usable), len(usable), refused)


def _verdicts(
    windows: Sequence[Window],
    settings: "Retrain",
    champion: "Record | None",
    status: dict[str, Any],
) -> "tuple[dict[str, Verdict] | None, str]":
    """The verdicts of the drift test on the last windows and on the counts of servers; None with
    the reason if unknown.
    """
    valid = [window.path for window in windows if not window.objection]
    usable = sorted([*valid, *INCOMING.glob("*.json")])[-settings.drift.windows :]
    if not usable:
        return None, f"nothing valid lies in {INCOMING}"
    if champion is None:
        return None, "there is no champion"
    from duli.cli.incoming import NEEDED, judged

    try:
        folder = champions_line(champion, NEEDED, status)
    except DataError as error:
        return None, str(error)
    return {
        path.name: verdict
        for path, verdict in zip(usable, judged(settings.drift, usable, folder), strict=True)
    }, ""


def _scored(
    windows: Sequence[Window], known: "Champions", task: str
) -> tuple[Mapping[str, float], str]:
    """The score of the champion's own wheel on the labelled examples that came in, and why it is
    not known.
    """
    usable = [
        window.kept
        for window in windows
        if window.labelled and not window.objection and window.kept is not None
    ]
    if not usable:
        return {"n": 0}, f"no labelled examples lie in {INCOMING}"
    if known.champion is None:
        return {"n": 0}, "there is no champion"
    import pyarrow as pa

    from duli.packaging.answers import Examples, answers

    stats, rows = files.read_json("data/prepared/stats.json"), pa.concat_tables(usable)
    kind = rooms.kind(stats["kind"], "releasing.release").Kind(stats)
    examples = Examples(kind.written(rows["content"].to_pylist()), kind.suffix)
    read = rooms.task(task, "releasing.release").answered
    found = answers(*_champions_wheel(known.champion), examples, read).answers
    return rooms.task(task, "intake.answers").score(found, rows["label"].to_numpy()), ""


def _champions_wheel(champion: "Record") -> tuple[bytes, str]:
    """The wheel in use and the name of its package: from dist/ if that is the champion, else from
    MLflow.
    """
    from duli.cli import evidence
    from duli.cli.registered import Registered

    if MANIFEST.exists():
        manifest = files.read_json(MANIFEST)
        if manifest["wheel"]["sha256"] == champion.wheel_sha256:
            return files.verified(
                MANIFEST.parent / manifest["wheel"]["file"], champion.wheel_sha256
            ), manifest["name"].replace("-", "_")
    line = Registered()
    with tempfile.TemporaryDirectory(prefix="duli-retrain-") as folder:
        found = evidence.fetch(line.store, line.of_record(champion), Path(folder) / "champion")
        return found.wheel, evidence.package(found)


def _pending(known: "Champions") -> str | None:
    """The reason why the current release needs a decision although no stage is stale."""
    if not MANIFEST.exists():
        return None
    if _lock_changed():
        return "dvc.lock is not that of the commit: what was made here is not proposed yet"
    if known.champion is None:
        return "there is no champion yet"
    if not _known_as(known):
        return "the release that lies here is neither the champion nor the one before"
    return None


def _known_as(known: "Champions") -> str | None:
    """The role of the current model if it was promoted recently: a rollback must not bring it up
    again.
    """
    here = files.read_json(MANIFEST)["wheel"]["sha256"]
    records = {THE_CHAMPION: known.champion, "the model before the champion": known.previous}
    return next(
        (name for name, record in records.items() if record and record.wheel_sha256 == here), None
    )


def _age(known: "Champions") -> tuple[float | None, str]:
    """Days since the champion was first committed as that; None and why, where git does not
    know.
    """
    if known.champion is None:
        return None, "there is no champion"
    if _head() is None or commands.asked("rev-parse", "--is-shallow-repository") != "false":
        return (
            None,
            (
                "git does not have the whole history here (a shallow clone?), which says since when"
                " the champion is in use"
            ),
        )
    date = first_named(known.champion, "%cI")
    if date is None:
        return None, f"{CHAMPION} is not committed, so nobody knows since when it says this"
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(date)
    return age.total_seconds() / SECONDS_PER_DAY, ""


def _status(*, mend: bool) -> dict[str, Any]:
    """The status of DVC. With `mend` it also recovers from a kill while DVC wrote one of its own
    files, which it does in place.
    """
    try:
        return commands.dvc_status()
    except DuliError:
        if not (mend and _mended()):
            raise
    try:
        return commands.dvc_status()
    except DuliError:
        if _interrupted() is None:
            raise
    print(
        "dvc.lock was cut off when the last retraining was killed; that of the commit stands in,"
        " and DVC's run cache has the rest"
    )
    files.write_text("dvc.lock", commands.git("show", "HEAD:./dvc.lock") + "\n")
    return commands.dvc_status()


def _mended() -> bool:
    """Removes files that DVC left truncated and makes again; whether it is worth asking
    DVC again.
    """
    locks = Path(".dvc/tmp/rwlock")  # of processes at work, as JSON
    try:
        json.loads(locks.read_bytes() if locks.exists() else b"{}")
        found = False
    except ValueError:
        locks.unlink()
        found = True
    # Of an accepted or quarantined window the file itself lies in data/incoming still, and is
    # tracked again.
    for path in [*ACCEPTED.glob("*.dvc"), *QUARANTINED.glob("*.dvc")]:
        if not path.stat().st_size:
            path.unlink()
            found = True
    return found or _interrupted() is not None


def _interrupted() -> dict[str, Any] | None:
    """The decision that a retraining which did not end here went by."""
    kept = files.read_json(DECISION, DECIDE) if DECISION.exists() else {}
    return kept if kept.get("outcome") == RUNNING else None


def _lacking(status: dict[str, Any]) -> bool:
    """Whether an output or a dependency is missing, or only missing here, when a DVC remote may
    have it.
    """
    entries = [
        change for changes in status.values() for change in changes if isinstance(change, dict)
    ]
    return any(
        state in ("deleted", "not in cache")
        for change in entries
        for paths in change.values()
        for state in paths.values()
    )


def _absent() -> bool:
    """Whether a window that git tracks is missing."""
    folders = (INCOMING, ACCEPTED)
    return any(
        not path.with_suffix("").exists()
        for folder in folders
        for path in folder.glob("*.parquet.dvc")
    )


def _lock_changed() -> bool:
    """Whether dvc.lock or the accepted data differ from the commit; False without git."""
    return bool(commands.asked("status", "--porcelain", "--", "dvc.lock", str(ACCEPTED)))


def _head() -> str | None:
    return commands.asked("rev-parse", "HEAD")


def _remote() -> bool:
    return bool(commands.dvc("remote", "list"))


def _track(path: Path) -> None:
    """Lets DVC keep a file of data that belongs to the repository now, if the repository keeps such
    data with DVC.
    """
    commands.dvc("add", "--quiet", str(path))


def _forget(path: Path) -> None:
    tracked = path.with_name(f"{path.name}.dvc")
    tracked.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Waits until no other retraining runs in this repository; the kernel frees the lock of a
    killed one.
    """
    from duli.tracking.client.store import repository

    path = repository(os.environ, Path()) / ".dvc/tmp/duli-retrain.lock"
    lock = FileLock(path, fallback_to_soft=False)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        print("another `duli retrain` works here; waiting for it", file=sys.stderr, flush=True)
        held = lock.acquire()
    with held:
        yield


def _aligned(rows: "Sequence[Row]") -> str:
    width = max(len(row.trigger) for row in rows)
    return "\n".join(
        f"{row.state:<12}  {row.trigger:<{width}}  {row.evidence}\n{'':<{width + 14}}  ->"
        f" {row.follows}"
        for row in rows
    )


OPTIONS: dict[str, dict[str, Any]] = {
    "--explain": {"action": "store_true", "help": "show the table that decides, and do nothing"},
    "--json": {"action": "store_true", "dest": "as_json", "help": "the same as JSON"},
    "--force": {"metavar": "REASON", "help": "run every stage again, whatever the triggers say"},
}
