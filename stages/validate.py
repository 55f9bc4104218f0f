"""Checks the prepared examples with a Great Expectations suite; the line stops here unless all
expectations hold.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli.base import files, kinds, rooms
from duli.base.errors import GateError
from duli.base.kinds import Kind
from duli.base.params import Params
from duli.base.tasks import Targets
from duli.reporting.shared.pages import render
from duli.validation.params import Shift, Validate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from duli.validation.shift import Columns
    from duli.validation.suite import Outcome

PREPARED = Path("data/prepared")
SPLITS = ("train", "validation", "test")
MOST_VALUES = 5_000_000  # bytes of labels or features in memory at once


def main() -> None:
    from duli.validation import suite

    params = Params("params.yaml")
    bounds = params.section("validate", Validate)
    stats = files.read_json(PREPARED / "stats.json")
    kind = kinds.kind(stats["kind"], stats["input"])
    targets = rooms.task(params.values["task"], "targets.targets").Targets.prepared(stats)
    expected = suite.Expected(targets, kind.expected(), (*kind.statistics.names, *stats["columns"]))
    frame = _examples()
    outcomes = suite.validate(frame, sum(stats["quarantined"].values()), expected, bounds)
    shifts = _shifts(frame, kind, targets, stats, bounds.shift)
    outcomes += shifts
    failed = [outcome for outcome in outcomes if not outcome.success]
    absent = targets.absent(stats["splits"])
    facts = {
        "success": not failed,
        "expectations": len(outcomes),
        "failed": len(failed),
        "outcomes": [vars(outcome) for outcome in outcomes],
        # Targets without examples, which cannot be learned or judged.
        "absent": absent,
        # Identifies the data that this report is about.
        "digests": {split: facts["digest"] for split, facts in stats["splits"].items()},
    }
    files.write_text(
        "reports/validation.html",
        render(
            "reporting/validation/validation.html.j2",
            dataset=stats["title"],
            success=not failed,
            expectations=facts["outcomes"],
            splits=stats["splits"],
            counts=targets.shown(stats["splits"]),
            quarantined=stats["quarantined"],
            near_duplicates=stats.get("near_duplicates", {}),
            absent=absent,
        ),
    )
    files.write_json("reports/validation.json", facts)
    if failed:
        lines = "".join(
            f"\n  {o.table}.{o.column} {o.name}: {o.observed}; expected {o.expected}"
            for o in failed
        )
        raise GateError(
            f"{len(failed)} of {len(outcomes)} expectations failed; see reports/validation.html, "
            f"then mend the data or `validate:` in params.yaml{_allowed(shifts)}{lines}"
        )
    for split, names in absent.items():
        print(
            f"no example in {split} of {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}"
        )
    print(f"all {len(outcomes)} expectations hold (reports/validation.html)")


def _allowed(shifts: "list[Outcome]") -> str:
    """The setting that would accept a split as it is."""
    columns = sorted({comparison.column for comparison in shifts if not comparison.success})
    return (
        f" (where a split is meant to differ, say so: shift: {{ignore: [{', '.join(columns)}]}})"
        if columns
        else ""
    )


def _shifts(
    frame: "pd.DataFrame", kind: Kind, targets: Targets, stats: dict[str, Any], allowed: Shift
) -> "list[Outcome]":
    """Compares every other split with train: statistics, targets, features."""
    from duli.validation import shift

    named = ("statistics", "label", *(["features"] if "features" in stats else []))
    outcomes: list[Outcome] = []
    of_train = _measured(frame, "train", kind, targets, stats)
    for split in SPLITS[1:]:
        of_split = _measured(frame, split, kind, targets, stats)
        for name in named:
            if name in allowed.ignore or not (of_train[name] and of_split[name]):
                continue
            comparisons = shift.compare(of_train[name], of_split[name], allowed.tolerance)
            compared = [each for each in comparisons if each.name not in allowed.ignore]
            if name == "statistics":
                outcomes += shift.each(split, compared)
            else:
                outcomes.append(shift.together(split, name, compared))
    return outcomes


def _measured(
    frame: "pd.DataFrame", split: str, kind: Kind, targets: Targets, stats: dict[str, Any]
) -> "dict[str, Columns]":
    """The statistics of a split to compare, by name; empty for an empty split, which fails another
    check.
    """
    import numpy as np
    import pandas as pd

    rows = frame[(frame["split"] == split).to_numpy()]
    if rows.empty:
        return {"statistics": {}, "label": {}, "features": {}}
    there = [name for name in kind.compared if name in rows]
    numbers = {
        name: pd.to_numeric(rows[name], errors="coerce").to_numpy(np.float64) for name in there
    }
    few = _evenly(len(rows), targets.groups_there_are)
    labels = pd.to_numeric(rows["label"], errors="coerce").to_numpy(np.float64)[few]
    return {
        "statistics": numbers,
        "label": targets.columns(labels),
        "features": _features(split, kind, stats["features"]) if "features" in stats else {},
    }


def _features(split: str, kind: Kind, names: list[str]) -> "Columns":
    """The features of a table's rows, read from the file in parts."""
    import numpy as np
    import pyarrow as pa

    from duli.preparation.prepared.parquet import opened

    parts = []
    with opened(PREPARED / f"{split}.parquet") as file:
        few, start = _evenly(file.metadata.num_rows, len(names)), 0
        for group in range(file.num_row_groups):
            contents = file.read_row_group(group, columns=["content"])["content"]
            here = few[(few >= start) & (few < start + len(contents))] - start
            parts.append(kind.arrays(contents.take(pa.array(here))))
            start += len(contents)
    return dict(zip(names, np.concatenate(parts).astype(np.float64).T, strict=True))


def _evenly(n: int, columns: int) -> "NDArray[np.int64]":
    """Rows to compare, of `n` with this many columns: all, or evenly spaced ones that fit into
    memory.
    """
    import numpy as np

    return np.unique(
        np.linspace(0, n - 1, min(n, max(1000, MOST_VALUES // columns)), dtype=np.int64)
    )


def _examples() -> "pd.DataFrame":
    """The examples of all splits without their content; its length in bytes stands for it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from duli.preparation.prepared.parquet import opened

    tables = []
    for split in SPLITS:
        with opened(PREPARED / f"{split}.parquet") as file:
            names = [name for name in file.schema_arrow.names if name != "content"]
            for group in range(file.num_row_groups):
                lengths = pc.binary_length(
                    file.read_row_group(group, columns=["content"])["content"]
                )
                tables.append(
                    file.read_row_group(group, columns=names).append_column("bytes", lengths)
                )
    return pa.concat_tables(tables).to_pandas()
