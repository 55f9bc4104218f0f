"""Checks the prepared examples with a Great Expectations suite; the line stops here unless all of it holds."""

from pathlib import Path
from typing import TYPE_CHECKING

from duli import files
from duli.errors import GateError
from duli.params import Params
from duli.preparation import kinds
from duli.reporting.pages import render
from duli.validation.params import Validate

if TYPE_CHECKING:
    import pandas as pd

PREPARED = Path("data/prepared")
SPLITS = ("train", "validation", "test")


def main() -> None:
    from duli.validation import suite

    bounds = Params("params.yaml").section("validate", Validate)
    stats = files.read_json(PREPARED / "stats.json")
    kind = kinds.kind(stats["kind"], stats["input"])
    expected = suite.Expected(len(stats["classes"]), kind.expected(), (*kind.statistics.names, *stats["columns"]))
    outcomes = suite.validate(_examples(), sum(stats["quarantined"].values()), expected, bounds)
    failed = [outcome for outcome in outcomes if not outcome.success]
    facts = {
        "success": not failed,
        "expectations": len(outcomes),
        "failed": len(failed),
        "outcomes": [vars(outcome) for outcome in outcomes],
        # Of which data this is true.
        "digests": {split: facts["digest"] for split, facts in stats["splits"].items()},
    }
    files.write_text(
        "reports/validation.html",
        render(
            "validation.html.j2",
            dataset=stats["title"],
            success=not failed,
            expectations=facts["outcomes"],
            splits=stats["splits"],
            classes=stats["classes"],
            quarantined=stats["quarantined"],
        ),
    )
    files.write_json("reports/validation.json", facts)
    if failed:
        lines = "".join(f"\n  {o.table}.{o.column} {o.name}: {o.observed}; expected {o.expected}" for o in failed)
        raise GateError(
            f"{len(failed)} of {len(outcomes)} expectations failed; see reports/validation.html, "
            f"then mend the data or `validate:` in params.yaml{lines}"
        )
    print(f"all {len(outcomes)} expectations hold (reports/validation.html)")


def _examples() -> "pd.DataFrame":
    """The examples of all splits without their content, whose length in bytes stands for it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from duli.preparation.parquet import opened

    tables = []
    for split in SPLITS:
        with opened(PREPARED / f"{split}.parquet") as file:
            names = [name for name in file.schema_arrow.names if name != "content"]
            for group in range(file.num_row_groups):
                lengths = pc.binary_length(file.read_row_group(group, columns=["content"])["content"])
                tables.append(file.read_row_group(group, columns=names).append_column("bytes", lengths))
    return pa.concat_tables(tables).to_pandas()
