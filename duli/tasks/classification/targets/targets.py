"""Labels of a classifier: what prepare cleans and validate expects of the column `label`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base.tasks import Counts

if TYPE_CHECKING:
    import pandas as pd

    from duli.validation.params import Validate

SPLITS = ("train", "validation", "test")


class Targets:
    """Indices of named classes (see `duli.base.tasks.Targets`)."""

    type = pa.int16()
    missing = -1

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self.groups_there_are = len(self.classes)

    @classmethod
    def of(cls, dataset: Any) -> "Targets":
        """The targets of a dataset (a file of duli/datasets/): its CLASSES."""
        return cls(dataset.CLASSES)

    @classmethod
    def prepared(cls, stats: Mapping[str, Any]) -> "Targets":
        """The targets of prepared data, from stats.json."""
        return cls(stats["classes"])

    @property
    def facts(self) -> dict[str, Any]:
        """The entries of stats.json about the targets."""
        return {"classes": self.classes}

    def known(self, labels: NDArray[Any]) -> NDArray[np.bool_]:
        """A mask of the labels that are one of the classes, [n]."""
        return (labels >= 0) & (labels < len(self.classes))

    def groups(self, labels: NDArray[Any]) -> NDArray[Any]:
        """The class of each example, [n]: every class gets its share of each split."""
        return labels

    def array(self, labels: "pa.ChunkedArray") -> NDArray[np.int64]:
        """Class indices to learn from, int64 [n]."""
        array: NDArray[np.int64] = labels.to_numpy().astype(np.int64)
        return array

    def count(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """Examples of each class, [classes]."""
        return np.bincount(labels, minlength=len(self.classes))

    def counted(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """The entry of a split in stats.json, from the sum of its `count`s."""
        return {"per_class": counts.tolist()}

    def columns(self, labels: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Columns whose means have to be alike in all splits: the share of each class."""
        return {
            name: (labels == index).astype(np.float64) for index, name in enumerate(self.classes)
        }

    def absent(self, splits: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
        """Classes without an example in a split, by split: nothing is learned or known of them."""
        return {
            split: names
            for split, facts in splits.items()
            if (
                names := [
                    name
                    for name, count in zip(self.classes, facts["per_class"], strict=True)
                    if not count
                ]
            )
        }

    def shown(self, splits: Mapping[str, Mapping[str, Any]]) -> Counts:
        """Examples of each class, by split."""
        columns = zip(*(facts["per_class"] for facts in splits.values()), strict=True)
        rows = [(name, list(counts)) for name, counts in zip(self.classes, columns, strict=True)]
        return Counts("Examples of each class", "Class", rows)

    def expectations(self, gxe: Any) -> list[Any]:
        """The Great Expectations checks of the column `label` over all splits."""
        values = list(range(len(self.classes)))
        return [gxe.ExpectColumnDistinctValuesToEqualSet(column="label", value_set=values)]

    def tables(
        self, examples: "pd.DataFrame", bounds: "Validate", gxe: Any
    ) -> dict[str, tuple["pd.DataFrame", list[Any]]]:
        """Further tables made of the examples, by name, and what is expected of each."""
        share = bounds.class_share
        if share is None:
            return {}
        within = gxe.ExpectColumnValuesToBeBetween(
            column="share", min_value=share.min, max_value=share.max
        )
        return {"classes": (_shares(examples, len(self.classes)), [within])}


def _shares(examples: "pd.DataFrame", classes: int) -> "pd.DataFrame":
    """One row per split and class: the class's share of the split, 0 if the class is missing."""
    import pandas as pd

    index = pd.MultiIndex.from_product([SPLITS, range(classes)], names=["split", "label"])
    counts = (
        examples.reindex(columns=["split", "label"])
        .groupby(["split", "label"], observed=True)
        .size()
        .reindex(index, fill_value=0)
    )
    totals = counts.groupby("split").transform("sum").clip(lower=1)
    return (counts / totals).rename("share").reset_index()
