"""The Great Expectations suite over the prepared examples, and its outcomes without anything
volatile.

Expectations of value ranges pass on an empty or all-null column, so the suite always asks for the
row count and for no nulls, and the task for the complete set of labels; an expectation that raised
counts as failed.
"""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from duli.base.tasks import Targets
from duli.validation.params import Range, Validate

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

SPLITS = ("train", "validation", "test")
# All but the content itself, whose length stands for it: memory must not grow with the contents.
COLUMNS = ("id", "split", "label", "sha256", "bytes")

# lowest, highest, and whether both are excluded; None is no bound
Bounds = tuple[float | None, float | None, bool]


@dataclass(frozen=True)
class Expected:
    """The declarations of the data set: its targets, bounds of columns without gaps, and its
    further columns.
    """

    targets: Targets
    bounds: Mapping[str, Bounds]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """One expectation: its name, its column and table, and what was seen against what
    was expected.
    """

    name: str
    table: str
    column: str
    success: bool
    observed: str
    expected: str


def validate(
    examples: pd.DataFrame, quarantined: int, expected: Expected, bounds: Validate
) -> list[Outcome]:
    """Judges the examples (`COLUMNS` and those that the data set adds, one row each) and the shares
    derived from them.

    Every outcome has to be a success; there are no warnings that let bad data through.
    """
    suites = {
        "examples": (examples, _example_expectations(expected, bounds)),
        "splits": (
            _splits(examples, quarantined, [*bounds.statistics]),
            _split_expectations(bounds),
        ),
        **expected.targets.tables(examples, bounds, _expectations()),
    }
    return [
        outcome
        for table, (frame, expectations) in suites.items()
        for outcome in _run(table, frame, expectations)
    ]


def window(
    examples: pd.DataFrame, refused: int, expected: Expected, bounds: Validate
) -> list[Outcome]:
    """Judges examples that came in later (columns as for `validate`), `refused` others with them:
    whatever does not need all splits.

    Their targets may lie unevenly, which is drift and not damage; what the whole becomes with them
    the line's own gate judges.
    """
    suites = {
        "examples": (
            examples,
            [
                _expectations().ExpectTableRowCountToBeBetween(min_value=1),
                *_row_expectations(expected),
            ],
        ),
        "window": (_splits(examples, refused, [*bounds.statistics]), _range_expectations(bounds)),
    }
    return [
        outcome
        for table, (frame, expectations) in suites.items()
        for outcome in _run(table, frame, expectations)
    ]


def _example_expectations(expected: Expected, bounds: Validate) -> list["Expectation"]:
    gxe = _expectations()
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=bounds.min_examples),
        *_row_expectations(expected),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="split", value_set=list(SPLITS)),
        *expected.targets.expectations(gxe),
    ]


def _row_expectations(expected: Expected) -> list["Expectation"]:
    """Expectations about single examples, however few."""
    gxe = _expectations()
    never_empty = dict.fromkeys((*COLUMNS, *expected.bounds))
    return [
        gxe.ExpectTableColumnsToMatchSet(
            column_set=[*dict.fromkeys((*never_empty, *expected.columns))]
        ),
        *(gxe.ExpectColumnValuesToNotBeNull(column=column) for column in never_empty),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        # Unique over all splits: no example of the test split is in train or validation.
        gxe.ExpectColumnValuesToBeUnique(column="sha256"),
        gxe.ExpectColumnValueLengthsToEqual(column="sha256", value=64),
        *(_within(column, *bounds) for column, bounds in expected.bounds.items()),
    ]


def _within(column: str, low: float | None, high: float | None, strict: bool) -> "Expectation":
    gxe = _expectations()
    if low == high:
        return gxe.ExpectColumnDistinctValuesToEqualSet(column=column, value_set=[low])
    return gxe.ExpectColumnValuesToBeBetween(
        column=column, min_value=low, max_value=high, strict_min=strict, strict_max=strict
    )


def _split_expectations(bounds: Validate) -> list["Expectation"]:
    return [
        _expectations().ExpectTableRowCountToEqual(value=len(SPLITS)),
        *_range_expectations(bounds),
    ]


def _range_expectations(bounds: Validate) -> list["Expectation"]:
    gxe = _expectations()
    limits = {
        **bounds.statistics,
        "quarantined_share": Range(min=0, max=bounds.max_quarantined_share),
    }
    return [
        *(
            gxe.ExpectColumnValuesToBeBetween(column=name, min_value=one.min, max_value=one.max)
            for name, one in limits.items()
        ),
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in limits),
    ]


def _splits(examples: pd.DataFrame, quarantined: int, statistics: list[str]) -> pd.DataFrame:
    """One row per split: means of the per-example statistics, and the quarantined share of
    everything read.
    """
    # a missing column becomes null, which fails below
    columns = examples.reindex(columns=["split", *statistics])
    for name in statistics:
        # what is no number has no mean, and fails too
        columns[name] = pd.to_numeric(columns[name], errors="coerce")
    table = (
        columns.groupby("split", observed=True).mean().reset_index() if len(columns) else columns
    )
    return table.assign(quarantined_share=quarantined / max(1, quarantined + len(examples)))


def _expectations() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations.expectations as gxe

    return gxe


def _run(table: str, frame: pd.DataFrame, expectations: list["Expectation"]) -> list[Outcome]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas(table).add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe(table).get_batch({"dataframe": frame})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Great Expectations and pandas about each other
        result = batch.validate(
            gx.ExpectationSuite(name=table, expectations=expectations), result_format="SUMMARY"
        )
    # One result for each expectation, though not in their order; an expectation without a result
    # must not pass.
    outcomes = [_outcome(table, item) for item in result.results]
    assert len(outcomes) == len(expectations), (
        "Great Expectations judged fewer expectations than were asked"
    )
    return sorted(outcomes, key=lambda outcome: (outcome.column, outcome.name))


def _outcome(table: str, result: Any) -> Outcome:
    config = result.expectation_config
    wanted = {
        key: value for key, value in config.kwargs.items() if key not in ("column", "batch_id")
    }
    return Outcome(
        name=config.type.removeprefix("expect_").replace("_", " "),
        table=table,
        column=str(config.kwargs.get("column", "")),
        success=result.success is True,
        observed=_observed(result),
        expected=", ".join(
            f"{key.replace('_', ' ')} {_short(value)}" for key, value in sorted(wanted.items())
        ),
    )


def _observed(result: Any) -> str:
    facts = result.result
    if (
        "missing_count" in facts
        and "partial_missing_list" in facts
        and facts.get("observed_value") is None
    ):
        missing, unexpected = facts["partial_missing_list"], facts["partial_unexpected_list"]
        return (
            f"missing {_short(missing)}, unexpected {_short(unexpected)}"
            if missing or unexpected
            else "exactly the expected values"
        )
    if "observed_value" in facts:
        return _short(facts["observed_value"])
    if "unexpected_count" in facts:
        unexpected, examples = facts["unexpected_count"], facts.get("partial_unexpected_list", [])
        return f"{unexpected:,} of {facts['element_count']:,} unexpected" + (
            f", such as {_short(examples[0])}" if examples else ""
        )
    messages = {
        str(info.get("exception_message"))
        for info in (result.exception_info or {}).values()
        if isinstance(info, dict)
    }
    return "; ".join(sorted(messages)) or "not computed"


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
