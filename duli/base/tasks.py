"""Tasks: the part of what is learned, scored and sold that every stage needs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray


class Unit(NamedTuple):
    """The unit that is sold, counted and priced."""

    one: str  # such as answer or token
    many: str
    per: int  # how many of them a price is quoted for, such as 1,000,000


class Score(NamedTuple):
    """The one number that a release is judged by."""

    key: str  # in the reports, such as accuracy or bits_per_byte
    better: Literal["higher", "lower"]
    form: Literal["share", "number"]  # a share is shown in percent
    meaning: str

    @property
    def title(self) -> str:
        """The name for people."""
        return self.key.replace("_", " ")

    @property
    def worst(self) -> Literal["low", "high"]:
        """The unfavourable end of an interval."""
        return "low" if self.better == "higher" else "high"

    def text(self, value: float) -> str:
        """A value of the score, such as 99.46%."""
        return f"{value:.2%}" if self.form == "share" else f"{value:.4g}"


class Measure(NamedTuple):
    """A number of a report that stands in the headline."""

    report: str  # reports/NAME.json, or `resources`
    key: str  # dotted; {variant} stands for the one that ships
    unit: str  # in words
    factor: float = 1.0  # from the report's unit to this one


class Task(Protocol):
    """The module `duli/tasks/NAME/task.py`."""

    UNIT: Unit
    SCORE: Score
    LOSSES: tuple[str, ...]  # names for `train.loss`
    HEADLINE: Mapping[str, Measure]  # measures of this task besides the score


class Counts(NamedTuple):
    """A table of the validation page: examples by something and by split."""

    title: str
    head: str
    rows: list[tuple[str, list[int]]]  # name, examples of each split


class Targets(Protocol):
    """The learning targets of examples (`duli/tasks/NAME/targets/targets.py`)."""

    type: "pa.DataType"  # of the column `label`
    missing: float  # stands for a label that is not there; never `known`
    groups_there_are: int

    @property
    def facts(self) -> dict[str, Any]: ...  # of stats.json
    def known(self, labels: "NDArray[Any]") -> "NDArray[np.bool_]": ...

    # whole numbers from 0 on: every group gets its share of each split, and duplicates are of one
    def groups(self, labels: "NDArray[Any]") -> "NDArray[Any]": ...
    def array(self, labels: "pa.ChunkedArray") -> "NDArray[Any]": ...  # to learn from
    def count(self, labels: "NDArray[Any]") -> "NDArray[Any]": ...  # summed over a split
    def counted(self, counts: "NDArray[Any]") -> dict[str, Any]: ...  # of a split in stats.json

    # columns whose means have to be alike in all splits
    def columns(self, labels: "NDArray[np.float64]") -> "dict[str, NDArray[np.float64]]": ...
    def absent(self, splits: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]: ...

    # for the validation page, from what stats.json says of the splits
    def shown(self, splits: Mapping[str, Mapping[str, Any]]) -> "Counts | None": ...

    # `gxe` is great_expectations.expectations, `bounds` the section `validate`
    def expectations(self, gxe: Any) -> list[Any]: ...
    def tables(
        self, examples: "pd.DataFrame", bounds: Any, gxe: Any
    ) -> "dict[str, tuple[pd.DataFrame, list[Any]]]": ...
