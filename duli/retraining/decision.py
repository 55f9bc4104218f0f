"""The retraining decision as a table: each trigger with its evidence and consequence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from duli.base.tasks import Score
from duli.retraining.params import Retrain

CHAMPION = "champion.json"  # the report is set beside it; no model is made of it
HEADING = ("trigger", "fired", "evidence", "what follows")


@dataclass(frozen=True)
class Row:
    """One trigger of the decision."""

    trigger: str
    fired: bool | None  # None: not measurable
    evidence: str
    follows: str

    @property
    def state(self) -> str:
        """Whether it fired, in words."""
        return "not measured" if self.fired is None else "fired" if self.fired else "no"


class Verdict(Protocol):
    """The verdict of a drift test on one window of incoming data."""

    @property
    def fired(self) -> bool: ...
    @property
    def examples(self) -> int: ...
    @property
    def evidence(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True)
class New:
    """The validated contents of data/incoming."""

    labelled: int = 0  # valid examples with a label, in
    windows: int = 0  # so many files
    refused: Mapping[str, str] | None = None  # file -> why it goes to quarantine


def stale(status: Mapping[str, Any]) -> dict[str, list[str]]:
    """Stage -> why it would run again, from `dvc status --json`; not where a promotion alone, which
    a report shows, is the reason.
    """
    found = {}
    for stage, changes in status.items():
        reasons = [reason for change in changes for reason in _reasons(change)]
        if any(reason != f"{CHAMPION} modified" for reason in reasons):
            found[stage.rpartition(":")[2]] = reasons
    return found


def change(
    reasons: Mapping[str, Sequence[str]], new: New, pending: str | None, settings: Retrain
) -> Row:
    """Fires if code, params or data differ from dvc.lock (`reasons`, from `stale`), enough labelled
    data has arrived, or something is `pending`.
    """
    evidence = [f"{stage} is stale: {_first(why)}" for stage, why in reasons.items()]
    if new.labelled:
        few = (
            ""
            if new.labelled >= settings.min_examples
            else f", fewer than the {settings.min_examples:,} of retrain.min_examples"
        )
        evidence.append(
            f"{new.labelled:,} new labelled examples in {new.windows} {_windows(new.windows)}{few}"
        )
    evidence += [f"{name} goes to quarantine: {why}" for name, why in (new.refused or {}).items()]
    if pending:
        evidence.append(pending)
    fired = bool(reasons or pending or new.labelled >= settings.min_examples)
    return Row(
        "change",
        fired,
        "; ".join(evidence) or "every stage is as dvc.lock knows it",
        _follows("change", new, fired=fired),
    )


def schedule(age_days: float | None, why_not: str, settings: Retrain) -> Row:
    """Fires if the champion is older than allowed; `why_not` explains an unknown age (None)."""
    if settings.max_age_days is None:
        return Row("schedule", None, "retrain.max_age_days is null", "nothing")
    if age_days is None:
        return Row("schedule", None, why_not, "nothing")
    fired = age_days > settings.max_age_days
    evidence = (
        f"the champion is {age_days:.0f} days old, retrain.max_age_days is {settings.max_age_days}"
    )
    return Row(
        "schedule", fired, evidence, "what came in since is trained on" if fired else "nothing"
    )


def drift(verdicts: Mapping[str, Verdict] | None, why_not: str, settings: Retrain) -> Row:
    """Fires if enough of the latest windows (file -> verdict, in name order) differ from the
    training data.
    """
    if not verdicts:
        return Row("drift", None, why_not, "nothing")
    last = list(verdicts.items())[-settings.drift.windows :]
    drifted = [name for name, verdict in last if verdict.fired]
    asked = f"it takes {settings.drift.needed} of {settings.drift.windows}"
    evidence = f"{len(drifted)} of the last {len(last)} {_windows(len(last))} drifted; {asked}"
    evidence += "".join(
        f"; {name} ({verdict.examples:,} examples): {_tests(verdict)}"
        for name, verdict in last
        if verdict.fired
    )
    fired = len(drifted) >= settings.drift.needed
    return Row(
        "drift",
        fired,
        evidence,
        "what came in with labels is trained on; the rest needs labels" if fired else "nothing",
    )


def quality(found: Mapping[str, float], why_not: str, settings: Retrain, score: Score) -> Row:
    """The champion answers labelled incoming data worse than the bound, with all of the 95 %
    interval.

    `found` has `value`, `low`, `high` and `n` of the task's score; only `n` if it was not measured.
    """
    bound, n = settings.worst_score, int(found["n"])
    if bound is None:
        return Row("quality", None, "retrain.worst_score is null", "nothing")
    if n < settings.min_examples:
        few = (
            f"{n:,} labelled examples came in, retrain.min_examples asks for"
            f" {settings.min_examples:,}"
        )
        return Row("quality", None, why_not or few, "nothing")
    higher = score.better == "higher"
    fired = found["high"] < bound if higher else found["low"] > bound
    value, low, high, limit = (
        score.text(number) for number in (found["value"], found["low"], found["high"], bound)
    )
    return Row(
        "quality",
        fired,
        f"the champion's {score.title} is {value} ({low} to {high}) on {n:,}"
        f" labelled examples, retrain.worst_score is {limit}",
        "they are trained on" if fired else "nothing",
    )


def manual(reason: str | None) -> Row:
    """Fires on request."""
    return Row(
        "manual",
        reason is not None,
        reason or "nobody asked",
        "every stage runs again" if reason is not None else "nothing",
    )


def fired(rows: Sequence[Row]) -> list[str]:
    """The triggers that fired."""
    return [row.trigger for row in rows if row.fired]


def markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    cells = [(row.trigger, row.state, row.evidence, row.follows) for row in rows]
    return (
        "\n".join(
            f"| {' | '.join(map(_cell, line))} |"
            for line in (HEADING, ("---",) * len(HEADING), *cells)
        )
        + "\n"
    )


def plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The table as JSON values."""
    return [asdict(row) for row in rows]


def _reasons(change: Any) -> list[str]:
    """One entry of a stage in `dvc status --json`: a text, or changes by kind and path; params by
    key.
    """
    if isinstance(change, str):
        return [change]
    found = []
    for entries in change.values():
        for path, state in entries.items():
            found += (
                [f"{path}: {key} {of}" for key, of in state.items()]
                if isinstance(state, Mapping)
                else [f"{path} {state}"]
            )
    return found


def _first(reasons: Sequence[str]) -> str:
    return ", ".join(reasons[:3]) + (f" and {len(reasons) - 3} more" if len(reasons) > 3 else "")


def _follows(trigger: str, new: New, *, fired: bool) -> str:
    if not fired:
        return "they wait for more" if new.labelled else "nothing"
    return (
        "they are accepted as training data, and stale stages run"
        if new.labelled
        else "stale stages run, and the result is judged"
    )


def _tests(verdict: Verdict) -> str:
    tests = [f"{row['test']} of {row['feature']}" for row in verdict.evidence if row["fired"]]
    return ", ".join(tests[:4]) + (f" and {len(tests) - 4} more" if len(tests) > 4 else "")


def _windows(count: int) -> str:
    return "window" if count == 1 else "windows"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
