"""Labels in own data as classes, and whether there is enough of each."""

import math
import re
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.intake.found import shown
from duli.serving import columns as cells
from duli.serving.tasks.classification import labels as spelling
from duli.tasks.classification.judging.slices import MANY as MANY  # noqa: PLC0414
from duli.tasks.classification.targets.targets import Targets

TYPE = Targets.type  # of the column `label`
RESERVED = frozenset({"class"})  # names of columns: a slice of every line
FEWEST = 20  # different examples of a class: with fewer, hardly one of it is left to judge by
FEWEST_IN_ALL = 100
MOST_CLASSES = 1000
FEW = 20  # different numbers with fractions that may be classes
MIDNIGHT = " 00:00:00"
ROWS, FOLDS, BINS = 2000, 5, 64
SHARE = 0.1  # of the mistakes of always naming the most frequent class


class Labels:
    """The class of each example (see `duli.intake.found.Labels`)."""

    def __init__(self, names: list[str], notes: list[str], place: Path) -> None:
        self.classes = sorted(set(names), key=_order)
        if len(self.classes) > MOST_CLASSES:
            raise DataError(
                f"{place} has {len(self.classes):,} classes, more than {MOST_CLASSES:,}; join some,"
                " or name other labels (--label COLUMN)"
            )
        index = {name: number for number, name in enumerate(self.classes)}
        self.values = np.array([index[name] for name in names], np.int64)
        self.own = {"classes": self.classes}
        self.notes = notes

    def given_away(self, name: str, values: NDArray[np.float64]) -> str:
        """A warning if one feature alone tells the classes apart."""
        counts = alone(values, self.values)
        if counts is None:
            return ""
        return f"{name} alone tells the classes apart in {counts[0]:,} of {counts[1]:,} rows"


def of_folders(names: list[str], folder: Path) -> Labels:
    """A folder is a class."""
    return Labels(names, [], folder)


def of_column(column: pa.ChunkedArray, name: str, path: Path) -> tuple[list[bool], Labels]:
    """A mask of the rows that have a label, and their labels."""
    written = _written(column)
    spelled = {text: spelling.label(text) for text in dict.fromkeys(written)}
    names = [spelled[text] for text in written]
    there = [bool(label) for label in names]
    missing = len(names) - sum(there)
    if missing == len(names):
        raise DataError(f"{path} has no row with a label in the column '{name}'")
    notes = [f"labels are in the column '{name}'"]
    notes += [f"{missing:,} rows without a label were left out"] if missing else []
    gaps = sorted({label for label in names if label and label.casefold() in cells.MISSING})
    notes += (
        [
            f"labels are taken as written, {shown(gaps, 5)} too; leave the cell empty if a row"
            " has none"
        ]
        if gaps
        else []
    )
    joined = [
        text for text, label in spelled.items() if label and text != label and label in spelled
    ]
    notes += (
        [
            "labels are taken in Unicode's normal form C and without white space around them, so"
            f" {joined[0]!a} is {spelled[joined[0]]}"
        ]
        if joined
        else []
    )
    names = [label for label in names if label]
    _classes(names, name, path)
    return there, Labels(names, notes, path)


def check(examples: pa.Table, labels: Labels, notes: list[str], place: Path) -> list[str]:
    """Remarks about the labels; raises `DataError` if there are too few examples to learn from."""
    counts = per_class(examples, labels.classes)
    total = sum(counts.values())
    if len(counts) < 2:
        raise DataError(
            f"{place} has one class alone ({', '.join(counts) or 'none'}); a classifier needs two"
            " at least"
        )
    small = [f"{name} ({count})" for name, count in counts.items() if count < FEWEST]
    if small or total < FEWEST_IN_ALL:
        few = f", and too few of {shown(small, 5)}" if small else ""
        few += "".join(f" ({note})" for note in notes if note.startswith("float32"))
        raise DataError(
            f"{place} has {total:,} different examples{few}; a class needs {FEWEST} and all"
            f" together {FEWEST_IN_ALL}, so that something is left to judge by: collect more, or"
            " join classes"
        )
    if "test" in (published := examples["split"].unique().to_pylist()):
        lacking = [
            name
            for split in published
            for name, count in per_class(examples, labels.classes, split).items()
            if not count
        ]
        if lacking:
            raise DataError(
                f"{place} has no example of {shown(lacking, 5)} in one of its folders"
                f" {', '.join(published)}; put some there"
            )
    equal = examples.num_rows - total
    if not equal:
        return []
    return [f"{equal:,} examples are equal to another of their class; one of each is learned from"]


def per_class(examples: pa.Table, classes: list[str], split: str | None = None) -> dict[str, int]:
    """The number of examples of each class, in one published split or in all; equal ones of a class
    count once.
    """
    if split is not None:
        examples = examples.filter(pc.equal(examples["split"], split))
    pairs = examples.select(["label", "content"]).group_by(["label", "content"]).aggregate([])
    counts = Counter(pairs["label"].to_pylist())
    return {name: counts[index] for index, name in enumerate(classes)}


def _written(column: pa.ChunkedArray) -> list[str]:
    """Labels as the text that stands in the file, or would stand in a CSV of it; empty if there
    is none.

    Whole numbers are their digits, 1.0 is 1.0, truths are true and false, days 2024-01-31, and
    decimals have all their places.
    """
    if pa.types.is_boolean(column.type):
        return ["" if value is None else str(value).lower() for value in column.to_pylist()]
    if pa.types.is_floating(column.type):  # numpy knows the shortest text of a float32
        values = column.to_numpy()
        return ["" if math.isnan(value) else str(value) for value in values]
    if pa.types.is_timestamp(column.type):  # days, where all of them begin at midnight
        values = ["" if value is None else str(value) for value in column.to_pylist()]
        days = all(not value or value.endswith(MIDNIGHT) for value in values)
        return [value.removesuffix(MIDNIGHT) for value in values] if days else values
    return [
        (
            value.decode(errors="backslashreplace")
            if isinstance(value, bytes)
            else ""
            if value is None
            else str(value)
        )
        for value in column.to_pylist()
    ]


def _classes(names: list[str], column: str, path: Path) -> None:
    """Raises `DataError` if the labels are no classes."""
    counts = Counter(names)
    values = [cells.number(name) for name in counts]
    fractions = any(
        value is not None and math.isfinite(value) and not value.is_integer() for value in values
    )
    usual = median(counts.values())
    if fractions and None not in values and (len(counts) > FEW or usual < FEWEST):
        raise DataError(
            f"the column '{column}' of {path} holds numbers with fractions, which are no classes"
            f" ({len(counts):,} different ones); name another with --label, or put them into"
            " ranges"
        )
    if len(counts) > max(FEWEST, len(names) / 2):
        raise DataError(
            f"the column '{column}' of {path} has {len(counts):,} values in {len(names):,} rows: no"
            " classes; name another with --label"
        )


def _order(name: str) -> tuple[int, str]:
    """Numbers as numbers, so that 10 comes after 2."""
    return (int(name) if re.fullmatch(r"-?[0-9]{1,15}", name) else -(10**16), name)


def alone(values: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[int, int] | None:
    """(right, n) where this column by itself tells the classes apart, by cross-validation; None
    if it does not.

    By the most frequent class of each of BINS ranges that hold as many training rows, on at most
    ROWS rows drawn at random.
    """
    order = np.random.default_rng(0).permutation(len(values))[:ROWS]
    values, labels = values[order], labels[order]
    n, counts = len(labels), np.bincount(labels)
    right = 0
    for fold in range(FOLDS):
        tested = np.arange(n) % FOLDS == fold
        known = np.sort(values[~tested & np.isfinite(values)])
        edges = (
            np.unique(known[np.linspace(0, len(known) - 1, BINS + 1).astype(int)[1:-1]])
            if len(known)
            else known
        )
        ranges = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
        seen = np.zeros((len(edges) + 2, len(counts)))
        np.add.at(seen, (ranges[~tested], labels[~tested]), 1)
        seen[seen.sum(axis=1) == 0] = counts
        right += int((seen.argmax(axis=1)[ranges[tested]] == labels[tested]).sum())
    return (right, n) if n - right <= SHARE * (n - counts.max()) else None
