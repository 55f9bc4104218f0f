"""Cuts the test split into the slices that are judged by themselves."""

from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.evaluation.judged import Split
from duli.tasks.classification.judging import slices
from duli.tasks.classification.judging.params import Slices
from duli.tasks.classification.judging.slices import Groups

# Columns that every data set has, none of which says what an example is of.
COLUMNS = ("id", "split", "label", "content", "sha256")

Labels = NDArray[np.int64]
Facts = dict[str, Any]


def sliced(
    classes: list[str],
    test: Split,
    predictions: Labels,
    sensitive: list[str],
    settings: Slices,
    looks: dict[str, NDArray[np.float64]],
) -> tuple[Facts, dict[str, str]]:
    """The slices of the test split, judged, the sensitive ones first; and why others could not be
    cut.
    """
    cut: dict[str, Groups | str] = {
        name: _cut(test.table[name], settings.quantiles) for name in sensitive
    }
    for one, other in combinations(sensitive, 2):
        first, second = cut[one], cut[other]
        if not isinstance(first, str) and not isinstance(second, str):
            _add(cut, f"{one}_x_{other}", slices.crossed(first, second))
    marked = list(cut)
    _add(cut, "class", slices.by_value([classes[label] for label in test.targets]))
    for name, values in looks.items():
        _add(cut, name, slices.by_quantile(values, settings.quantiles))
    for name in test.table.column_names:
        if name not in (*COLUMNS, *test.kind.statistics.names) and name not in sensitive:
            _add(cut, name, _cut(test.table[name], settings.quantiles))
    groups = {name: one for name, one in cut.items() if not isinstance(one, str)}
    reasons = {name: one for name, one in cut.items() if isinstance(one, str)}
    return (
        slices.judged(groups, predictions, test.targets, settings.min_examples, marked),
        reasons,
    )


def _cut(column: pa.ChunkedArray, parts: int) -> Groups | str:
    """Groups of a column of the data set: by quantile where it holds numbers, else by value."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return slices.by_quantile(column.cast(pa.float64()).to_numpy(), parts)
    return slices.by_value(column.to_pylist())


def _add(cut: dict[str, Groups | str], name: str, groups: Groups | str) -> None:
    if name in cut:
        raise DataError(
            f"two slices are called '{name}', one of them after a column of the data set; rename"
            " that in duli/datasets/"
        )
    cut[name] = groups
