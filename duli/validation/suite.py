"""The Great Expectations suite over the prepared examples, and its outcomes without anything volatile.

Expectations of value ranges pass on an empty or all-null column, so the suite always asks for the row count, for no
nulls and for the complete set of labels as well; an expectation that raised counts as failed.
"""

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from duli.validation.params import Range, Validate

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

SPLITS = ("train", "validation", "test")
# All but the content itself, whose length stands for it: memory must not grow with the pixels.
COLUMNS = ("id", "split", "label", "sha256", "height", "width", "mean", "std", "min", "max", "bytes")


@dataclass(frozen=True)
class Expected:
    """What the data set declares: number of classes, content as channels, height, width, and further columns."""

    classes: int
    shape: tuple[int, int, int]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """One expectation: what it is called, on which column of which table, what was seen against what was expected."""

    name: str
    table: str
    column: str
    success: bool
    observed: str
    expected: str


def validate(examples: pd.DataFrame, quarantined: int, expected: Expected, bounds: Validate) -> list[Outcome]:
    """Judges the examples (`COLUMNS` and those that the data set adds, one row each) and the shares derived from them.

    Every outcome has to be a success; there are no warnings that let bad data through.
    """
    suites = {
        "examples": (examples, _example_expectations(expected, bounds)),
        "splits": (_splits(examples, quarantined), _split_expectations(bounds)),
        "classes": (_classes(examples, expected.classes), _class_expectations(bounds)),
    }
    return [outcome for table, (frame, expectations) in suites.items() for outcome in _run(table, frame, expectations)]


def _example_expectations(expected: Expected, bounds: Validate) -> list["Expectation"]:
    gxe = _expectations()
    channels, height, width = expected.shape
    size = channels * height * width
    return [
        gxe.ExpectTableColumnsToMatchSet(column_set=[*COLUMNS, *expected.columns]),
        gxe.ExpectTableRowCountToBeBetween(min_value=bounds.min_examples),
        *(gxe.ExpectColumnValuesToNotBeNull(column=column) for column in COLUMNS),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        # Unique over all splits: no example of the test split is in train or validation.
        gxe.ExpectColumnValuesToBeUnique(column="sha256"),
        gxe.ExpectColumnValueLengthsToEqual(column="sha256", value=64),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="split", value_set=list(SPLITS)),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="label", value_set=list(range(expected.classes))),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="bytes", value_set=[size]),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="height", value_set=[height]),
        gxe.ExpectColumnDistinctValuesToEqualSet(column="width", value_set=[width]),
        gxe.ExpectColumnValuesToBeBetween(column="min", min_value=0, max_value=255),
        gxe.ExpectColumnValuesToBeBetween(column="max", min_value=1, max_value=255),  # an all-black image shows nothing
        gxe.ExpectColumnValuesToBeBetween(column="mean", min_value=0, max_value=255, strict_min=True, strict_max=True),
        gxe.ExpectColumnValuesToBeBetween(column="std", min_value=0, max_value=127.5, strict_min=True),
    ]


def _split_expectations(bounds: Validate) -> list["Expectation"]:
    gxe = _expectations()
    return [
        gxe.ExpectTableRowCountToEqual(value=len(SPLITS)),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=limits.min, max_value=limits.max)
            for column, limits in (
                ("mean", bounds.pixel_mean),
                ("std", bounds.pixel_std),
                ("quarantined_share", Range(min=0, max=bounds.max_quarantined_share)),
            )
        ),
        *(gxe.ExpectColumnValuesToNotBeNull(column=column) for column in ("mean", "std", "quarantined_share")),
    ]


def _class_expectations(bounds: Validate) -> list["Expectation"]:
    limits = bounds.class_share
    return [_expectations().ExpectColumnValuesToBeBetween(column="share", min_value=limits.min, max_value=limits.max)]


def _splits(examples: pd.DataFrame, quarantined: int) -> pd.DataFrame:
    """One row a split: means of the per-example statistics, and the quarantined share of everything read."""
    columns = examples.reindex(columns=["split", "mean", "std"])  # a missing column becomes null, which fails below
    table = columns.groupby("split", observed=True).mean().reset_index() if len(columns) else columns
    return table.assign(quarantined_share=quarantined / max(1, quarantined + len(examples)))


def _classes(examples: pd.DataFrame, classes: int) -> pd.DataFrame:
    """One row a split and class: the class's share of the split, 0 where a class is missing."""
    index = pd.MultiIndex.from_product([SPLITS, range(classes)], names=["split", "label"])
    counts = examples.reindex(columns=["split", "label"]).groupby(["split", "label"], observed=True).size().reindex(index, fill_value=0)
    totals = counts.groupby("split").transform("sum").clip(lower=1)
    return (counts / totals).rename("share").reset_index()


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
        result = batch.validate(gx.ExpectationSuite(name=table, expectations=expectations), result_format="SUMMARY")
    # One result for each expectation, though not in their order; an expectation without a result must not pass.
    outcomes = [_outcome(table, item) for item in result.results]
    assert len(outcomes) == len(expectations), "Great Expectations judged fewer expectations than were asked"
    return sorted(outcomes, key=lambda outcome: (outcome.column, outcome.name))


def _outcome(table: str, result: Any) -> Outcome:
    config = result.expectation_config
    wanted = {key: value for key, value in config.kwargs.items() if key not in ("column", "batch_id")}
    return Outcome(
        name=config.type.removeprefix("expect_").replace("_", " "),
        table=table,
        column=str(config.kwargs.get("column", "")),
        success=result.success is True,
        observed=_observed(result),
        expected=", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in sorted(wanted.items())),
    )


def _observed(result: Any) -> str:
    facts = result.result
    if "missing_count" in facts and "partial_missing_list" in facts and facts.get("observed_value") is None:
        missing, unexpected = facts["partial_missing_list"], facts["partial_unexpected_list"]
        return f"missing {_short(missing)}, unexpected {_short(unexpected)}" if missing or unexpected else "exactly the expected values"
    if "observed_value" in facts:
        return _short(facts["observed_value"])
    if "unexpected_count" in facts:
        unexpected, examples = facts["unexpected_count"], facts.get("partial_unexpected_list", [])
        return f"{unexpected:,} of {facts['element_count']:,} unexpected" + (f", such as {_short(examples[0])}" if examples else "")
    messages = {str(info.get("exception_message")) for info in (result.exception_info or {}).values() if isinstance(info, dict)}
    return "; ".join(sorted(messages)) or "not computed"


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
