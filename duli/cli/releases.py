"""Releases in MLflow: log the current one, list those of this line or of all lines."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from duli.base.tasks import Score
from duli.cli import lines
from duli.cli.registered import Registered

if TYPE_CHECKING:
    from duli.tracking.releases import Entry

# Heading -> the headline's number besides the score, and how it is shown.
COLUMNS: dict[str, tuple[str, str]] = {
    "size": ("model_kb", "{:,.1f} kB"),
    "latency": ("latency_ms", "{:.3g} ms"),
    "USD a million": ("unit_cost_usd_per_million", "{:,.0f}"),
    "margin": ("gross_margin", "{:.0%}"),
}


def track() -> None:
    """Makes sure that this release stands in MLflow, from DVC's files; rebuilds a missing run or
    version, never a second one.
    """
    from stages.track import record

    logged = record(Path(), os.environ)
    print(
        f"run {logged.run_id} ({'logged now' if logged.created else 'was there'}),"
        f" {logged.registered_model} version {logged.version}"
        f" ({'registered now' if logged.registered else 'was there'})"
    )


def releases() -> None:
    """Lists the releases in MLflow, the newest first, with headline, verdict and place: this
    line's, in the repository's root all lines'.

    Each line has an experiment and a registered model of its own, in the one store; `duli promote`,
    given in a line's folder, moves that line's champion alone.
    """
    folders = lines.folders()
    for folder in folders:
        line = Registered(folder)
        if len(folders) > 1:
            print(f"{'' if folder == folders[0] else chr(10)}{line.name} ({folder})")
        _show(line)


def _show(line: Registered) -> None:
    if not line.listed:
        print(
            f"MLflow at {line.store.tracking_uri} has no release of {line.name}; `duli track` logs"
            " what lies here, `dvc repro` makes one"
        )
        return
    places = _places(line)
    score = line.score
    end = "at least" if score.worst == "low" else "at most"
    rows = [["version", "release", "run", "logged", score.title, end, *COLUMNS, "verdict", "place"]]
    rows += [_row(entry, score, places.get(entry.run_id, [])) for entry in line.listed]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    known = {entry.release for entry in line.listed}
    for record in (line.champions.champion, line.champions.previous):
        if record and record.release not in known:
            print(
                f"champion.json names version {record.model_version} ({record.version}), which this"
                " MLflow does not hold"
            )


def _places(line: Registered) -> dict[str, list[str]]:
    """The places of each run's release: champion and previous by release, other aliases by model
    version, for its newest run.
    """
    named = {"champion": line.champions.champion, "previous": line.champions.previous}
    runs = {entry.release: entry.run_id for entry in reversed(line.listed)}
    places: dict[str, list[str]] = {}
    for place, record in named.items():
        if record and record.release in runs:
            places.setdefault(runs[record.release], []).append(place)
    newest = {entry.model_version: entry for entry in reversed(line.listed)}
    for entry in newest.values():
        places.setdefault(entry.run_id, []).extend(
            alias for alias in entry.aliases if alias not in named
        )
    return places


def _row(entry: "Entry", score: Score, places: list[str]) -> list[str]:
    shown = [
        score.text(entry.metrics[name]) if name in entry.metrics else ""
        for name in (score.key, f"{score.key}_{score.worst}")
    ]
    shown += [
        form.format(entry.metrics[name]) if name in entry.metrics else ""
        for name, form in COLUMNS.values()
    ]
    logged = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.started))
    return [
        str(entry.model_version or "lost"),
        entry.version,
        entry.run_id[:8],
        logged,
        *shown,
        entry.verdict,
        ", ".join(places),
    ]


def ui() -> None:
    """Starts the MLflow UI on loopback and says which pages to open; Ctrl-C stops it."""
    from duli.tracking.client import store
    from duli.tracking.ui import serve

    serve(store.locate(os.environ, Path()), lambda text: print(text, flush=True))
