"""The release in use: how a challenger becomes the champion, and how the previous one
comes back.
"""

import contextlib
import datetime
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from duli.base import files, rooms
from duli.base.errors import DataError, GateError
from duli.cli import evidence
from duli.cli.registered import CHAMPION, Registered, champions, remember_champion

if TYPE_CHECKING:
    from duli.gates.gates import Gate
    from duli.tracking.champion import Record
    from duli.tracking.params import Promotion

LOG = Path("promotions.jsonl")


class Compared(Protocol):
    """A challenger beside the champion (`duli/tasks/NAME/promoting/compared.py`)."""

    @property
    def text(self) -> str:
        """The difference with its interval, in one clause."""

    @property
    def facts(self) -> dict[str, Any]:
        """The entry in promotions.jsonl."""

    def objections(
        self, not_worse_by: float, better_by: float | None, seed_noise: float
    ) -> list[str]:
        """The objections to the challenger by the settings of the section `promotion`; empty if
        there are none.
        """


def promote(version: int | None, expect: int | None, *, rejudge: bool, merged: bool) -> None:
    """Makes a release the champion, after its gates, its signature, its answers and a paired test
    against the champion.

    VERSION is a model version as `duli releases` lists it; without it the release that lies here is
    meant. What the section `promotion` of params.yaml asks for decides. In MLflow the alias
    `champion` moves and `previous` keeps the one before; champion.json and promotions.jsonl keep
    the decision, for git. Exit code 1: held; 2: something is wrong.

    With --merged the decision is in git already, by a pull request that brought champion.json: the
    gates that its release passed when it was made, its signature and its answers are checked, and
    MLflow's aliases follow.
    """
    settings, required = settings_of_line()
    if merged:
        _follow(settings)
        return
    line = Registered()
    champion, entry = line.champions.champion, line.wanted(version)
    current = line.versions.get(champion.release) if champion else None
    if expect is not None and current != expect:
        raise GateError(
            f"the champion is {f'version {current}' if current else 'none'}, not version {expect};"
            " nothing was changed: decide again"
        )
    if champion and champion.release == entry.release:
        print(f"{champion.label} is the champion already")
        return
    with tempfile.TemporaryDirectory(prefix="duli-promotion-") as folder:
        challenger = evidence.fetch(line.store, entry, Path(folder) / "release")
        if champion and champion.wheel_sha256 == challenger.manifest["wheel"]["sha256"]:
            print(
                f"{champion.label} is the champion already: release {entry.release[:8]} has the"
                " same wheel, in another report"
            )
            return
        compared = weigh(line, challenger, Path(folder), settings, required, rejudge=rejudge)
    _move(line, "promote", record_of(challenger), compared)


def weigh(
    line: Registered,
    challenger: evidence.Evidence,
    folder: Path,
    settings: "Promotion",
    required: "Mapping[str, Gate]",
    *,
    rejudge: bool,
) -> Compared | None:
    """Checks everything that a release needs to become the champion and shows each check as it
    passes; returns the comparison with the champion, if there is one.

    Raises `GateError` at the first that does not pass. `folder` is for the champion's files.
    """
    split = _proved(line, challenger, settings, required)
    champion = line.champions.champion
    if champion is None:
        _show("champion", "none yet, so nothing to compare with")
        return None
    compared = _compared(challenger, line, champion, split, folder, rejudge=rejudge)
    _not_worse(compared, settings)
    return compared


def _follow(settings: "Promotion") -> None:
    """Lets MLflow's aliases follow champion.json, after its release has proved to be the proposed
    one.
    """
    from duli.tracking import promotion, releases

    remember_champion()
    line = Registered()
    champion = line.champions.champion
    if champion is None:
        print(f"{CHAMPION} names no champion; nothing to promote")
        return
    with tempfile.TemporaryDirectory(prefix="duli-promotion-") as folder:
        _proved(
            line,
            evidence.fetch(line.store, line.of_record(champion), Path(folder) / "release"),
            settings,
            None,
        )
    with line.store.answering():
        client = line.store.client()
        before = releases.of_model(client, line.name)
        promotion.follow(line.store, line.name, lambda: line.versions, champions, shared=True)
        moved = before != releases.of_model(client, line.name)
    print(f"\n{champion.label} is the champion{'' if moved else ' already'}")


def rollback() -> None:
    """Makes the release before the champion the champion again, by the same path; a second time
    takes that back.

    The gates it passed when it was made, signature and answers are checked as for a promotion; the
    paired test is shown and holds nothing back.
    """
    settings, _ = settings_of_line()
    line = Registered()
    champion, previous = line.champions.champion, line.champions.previous
    if champion is None or previous is None:
        raise DataError(
            f"{CHAMPION} knows no release before the champion to go back to; `duli promote VERSION`"
            " names one"
        )
    with tempfile.TemporaryDirectory(prefix="duli-promotion-") as folder:
        back = evidence.fetch(line.store, line.of_record(previous), Path(folder) / "release")
        split = _proved(line, back, settings, None)
        compared = None
        try:
            compared = _compared(back, line, champion, split, Path(folder), rejudge=True)
        # of the champion that is to go: what it was need not be known for that
        except (DataError, GateError) as error:
            _show("champion", f"{champion.label}: not compared: {error}")
    _move(line, "rollback", record_of(back), compared)


def _move(line: Registered, action: str, record: "Record", compared: Compared | None) -> None:
    """Makes `record` the champion unless somebody else was faster, and reports it."""
    from duli.tracking import promotion
    from duli.tracking.champion import Champions

    before = line.champions.champion
    to = Champions(champion=record, previous=before)
    versions = {**line.versions, record.release: record.model_version}

    def write() -> None:
        files.write_json(CHAMPION, to.model_dump())
        # it came by hand, or a crash kept its line from being written
        if before and _last_logged() != before.release:
            files.append_json(LOG, _logged("found", None, before, None))
        files.append_json(LOG, _logged(action, before, record, compared))

    LOG.open("ab").close()  # where it cannot be written to, nothing has moved yet
    with line.store.answering():
        promotion.move(
            line.store,
            line.name,
            expected=before,
            to=to,
            versions=versions,
            read=champions,
            write=write,
        )
    print(
        f"\n{line.name} version {record.model_version} is the champion"
        + (f", version {before.model_version} the one before" if before else "")
    )
    print(
        f"keep the decision: git add {CHAMPION} {LOG} && git commit -m 'Promote {line.name} version"
        f" {record.model_version}'"
    )


def _proved(
    line: Registered,
    found: evidence.Evidence,
    settings: "Promotion",
    required: "Mapping[str, Gate] | None",
) -> evidence.Split:
    """Checks everything that a release can show by itself, each printed as it passes; raises
    `GateError` at the first failure.
    """
    _show("release", record_of(found).label)
    _show("gates", evidence.gates(found, required))
    _show("signature", _signature(found, settings))
    _show("model", evidence.model(line.store, found))
    split = evidence.test_split()
    _show("answers", evidence.answers(found, split))
    return split


def _compared(
    challenger: evidence.Evidence,
    line: Registered,
    champion: "Record",
    split: evidence.Split,
    folder: Path,
    *,
    rejudge: bool,
) -> Compared:
    """The challenger against the champion on the same test examples; raises `GateError` if they
    were judged on different ones.
    """
    if champion.test_digest != split.digest and not rejudge:
        raise GateError(
            f"the champion was judged on another test split ({champion.test_digest[:12]}) than this"
            f" release ({split.digest[:12]}), so their numbers do not compare; `duli promote"
            " --rejudge` asks the champion's wheel anew on this split (which flatters a champion"
            " that was trained on some of it), or make this release on the champion's split"
        )
    theirs = evidence.fetch(line.store, line.of_record(champion), folder / "champion")
    reference = (
        evidence.predictions(theirs, split)
        if champion.test_digest == split.digest
        else evidence.rejudged(theirs, split)
    )
    compared: Compared = split.task.compared(
        reference, evidence.predictions(challenger, split), split.targets
    )
    _show("champion", f"{champion.label}: {compared.text}")
    return compared


def _not_worse(compared: Compared, settings: "Promotion") -> None:
    against = compared.objections(settings.not_worse_by, settings.better_by, settings.seed_noise)
    if against:
        raise GateError(f"the champion stays: {'; '.join(against)}")


def _signature(found: evidence.Evidence, settings: "Promotion") -> str:
    """Raises `GateError` if a signature does not verify, or is required and is not there."""
    if found.manifest["signed"] is not True:
        if settings.require_signature:
            raise GateError(
                "it is not signed, and promotion.require_signature asks for it; set release.sign"
                " and run `dvc repro`"
            )
        return (
            "UNSIGNED: nobody can tell its wheel from a forged one (promotion.require_signature:"
            " false)"
        )
    from duli.packaging import keys, signing

    public = keys.trusted(os.environ)
    try:
        fingerprint = signing.verify(found.folder / "dist", public)
    except DataError as error:
        raise GateError(str(error)) from None
    return f"verifies with the key {fingerprint}"


def record_of(found: evidence.Evidence) -> "Record":
    """The record of a release for champion.json."""
    from duli.base.params import Params
    from duli.gates.gates import measures
    from duli.tracking.champion import Record, figures

    entry, manifest = found.entry, found.manifest
    score = rooms.task(Params("params.yaml").values["task"], "task").SCORE.key
    assert entry.model_version is not None
    return Record(
        name=entry.name,
        version=entry.version,
        model_version=entry.model_version,
        release=entry.release,
        run_id=entry.run_id,
        test_digest=found.test_digest,
        model_sha256=manifest["model"]["sha256"],
        wheel_sha256=manifest["wheel"]["sha256"],
        signer=manifest["signer"]["fingerprint"] if manifest["signed"] is True else None,
        measures=figures(measures({"business": found.reports["business"]}), score),
    )


def _logged(
    action: str, before: "Record | None", after: "Record", compared: Compared | None
) -> dict[str, Any]:
    """A line of the log: time, action, both releases, and the result of the comparison."""
    short = {"model_version", "version", "release", "run_id", "signer"}
    return {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "action": action,
        "name": after.name,
        "from": before.model_dump(include=short) if before else None,
        "to": after.model_dump(include=short),
        "test_digest": after.test_digest,
        "compared": compared.facts if compared else None,
    }


def settings_of_line() -> "tuple[Promotion, Mapping[str, Gate]]":
    """The section `promotion` and the gates; read first, so that a mistake is reported before
    anything is fetched.
    """
    from duli.base.params import Params
    from duli.gates.gates import Gates
    from duli.tracking.params import Promotion

    params = Params("params.yaml")
    return params.section("promotion", Promotion), params.section("gates", Gates).require


def _last_logged() -> str | None:
    """The release that the last whole line of the log is about."""
    for line in reversed(LOG.read_text(encoding="utf-8", errors="replace").splitlines()):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(line)["to"]["release"])
    return None


def _show(what: str, text: str) -> None:
    print(f"  {what:<10} {text}", flush=True)


PROMOTE_OPTIONS: dict[str, dict[str, Any]] = {
    "version": {
        "nargs": "?",
        "type": int,
        "metavar": "VERSION",
        "help": "a model version; default: the release that lies here",
    },
    "--expect": {
        "type": int,
        "metavar": "VERSION",
        "help": "only if this version is the champion still (the one a review compared with)",
    },
    "--merged": {
        "action": "store_true",
        "help": "the release that champion.json names, as a merged pull request has it",
    },
    "--rejudge": {
        "action": "store_true",
        "help": "ask the champion's wheel anew where it was judged on another test split",
    },
}
