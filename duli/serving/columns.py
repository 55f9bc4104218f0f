"""Reads untrusted .csv files: columns by name, and cells as numbers."""

import csv
import io
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .sources import MAX_BYTES, decoded

LABELS = ("label", "labels", "class", "target", "category", "sentiment", "y", "标签", "类别")
TEXTS = (
    "text",
    "review",
    "content",
    "sentence",
    "comment",
    "message",
    "body",
    "文本",
    "内容",
    "评论",
)
DELIMITERS = ",;\t|"
# A number that is missing, as people, pandas, R, databases and spreadsheets write it, in lower
# case.
SPELLINGS = """
    na n/a n.a. n.a #n/a #na #n/a! <na> nan -nan +nan <nan> nat <nat> null (null) <null> [null] none
    <none> (none) nil 1.#ind -1.#ind 1.#qnan -1.#qnan 1.#nan -1.#nan 1.#snan \\n #null! #div/0!
    #value! #ref! #name? #num! #spill! #calc! #error! missing <missing> undefined unknown empty
    (empty) (blank) blank - -- --- – — —— － ― ? ?? ？ . .. ... … * / \\
    缺失 缺失值 无 無 空 空值 未知 暂无 不详 无数据 缺
"""
MISSING = {*SPELLINGS.split(), "", "#n/a n/a", "not available", "not applicable", "no data"}
TRUTHS = {"true": 1.0, "false": 0.0}
# numbers for each cell that is none, and not missing either: with fewer, a column is no column of
# numbers
NUMBERS = 99
PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
LONG = 400  # characters of what may be a number

Row = tuple[int, list[str]]  # number of its last line, and its values
_LIMIT = threading.Lock()


class Table(NamedTuple):
    """A file that is being read; `comma`: a comma may be the decimal point, because something else
    parts the columns.
    """

    header: list[str]
    rows: Iterator[Row]  # blank lines are none
    comma: bool


@contextmanager
def opened(content: bytes) -> Iterator[Table]:
    """The table in `content`, whose first line names the columns and shows what parts them.

    Fields may be as long as the file. Raises `InputError`, also while rows are read, where one has
    not as many values as the header.
    """
    decoded(content)  # refuses what is no text
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
    # The module's limit on a field is one for the whole process, so nobody else sees it raised for
    # longer than this takes.
    with _LIMIT:
        before = csv.field_size_limit(max(MAX_BYTES, len(content)))
        try:
            yield _table(lines)
        finally:
            csv.field_size_limit(before)


def _table(lines: io.TextIOWrapper) -> Table:
    delimiter = _delimiter(lines.readline())
    lines.seek(0)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def rows() -> Iterator[Row]:
        while values := _next(reader):
            if len(values) != len(header):
                raise InputError(
                    f"line {reader.line_num:,} has {len(values)} values, the first line names"
                    f" {len(header)} columns; correct it"
                )
            yield reader.line_num, values

    try:
        header = next(reader, [])
    except csv.Error as error:
        raise InputError(f"line {reader.line_num:,} is no CSV ({error}); correct it") from None
    return Table(header, rows(), delimiter != ",")


def _next(reader: Any) -> list[str]:
    """The next row that is not blank; none at the end."""
    try:
        return next((values for values in reader if values), [])
    except csv.Error as error:
        raise InputError(f"line {reader.line_num:,} is no CSV ({error}); correct it") from None


def _delimiter(line: str) -> str:
    """The delimiter of the names in the first line; a comma if there is none."""

    def names(delimiter: str) -> int:
        try:
            return len(next(csv.reader([line], delimiter=delimiter), []))
        except csv.Error:
            return 0

    return max(DELIMITERS, key=names)


def records(
    content: bytes, choose: Callable[[list[str]], list[int]], most: int | None = None
) -> list[Row]:
    """The rows behind the header, of each the columns that `choose` picks from the header, in its
    order; blank lines are none.

    Raises `InputError` if a row has not as many values as the header, or where there are more
    than `most`.
    """
    return read(content, choose, most)[0]


def read(
    content: bytes, choose: Callable[[list[str]], list[int]], most: int | None = None
) -> tuple[list[Row], bool]:
    """The rows as `records` gives them, and whether a comma may be the decimal point."""
    with opened(content) as table:
        if len(set(table.header)) < len(table.header):
            twice = next(name for name, count in Counter(table.header).items() if count > 1)
            raise InputError(f"names the column {twice!a} twice; name it once")
        chosen = choose(table.header)
        rows = [
            (line, [values[index] for index in chosen]) for line, values in islice(table.rows, most)
        ]
        if most is not None and len(rows) == most and next(table.rows, None):
            raise InputError(f"holds more than {most} rows; send {most} at once")
        return rows, table.comma


def column(header: Sequence[str], names: Sequence[str]) -> str:
    """The first of `names` that is a column; raises `InputError` if none is."""
    found = next((name for name in names if name in header), None)
    if found is None:
        raise InputError(
            f"has no column {names[-1]}, only {', '.join(map(ascii, header))}; name it so in the"
            " first line"
        )
    return found


def guessed(header: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns that are called one of `names`."""
    return [name for name in header if name.strip().lower() in names]


def number(cell: str, *, comma: bool = False) -> float | None:
    """The number in a cell: NaN for a missing one (`MISSING`), None if it is not a number.

    `true` and `false` are 1 and 0; with `comma`, 3,5 is 3.5.
    """
    text = cell.strip()
    if (folded := text.casefold()) in MISSING:
        return math.nan
    # beyond these, Python alone reads numbers
    if text.isascii() and "_" not in text and len(text) <= LONG:
        try:
            return float(text.replace(",", ".", 1) if comma and "." not in text else text)
        except ValueError:
            pass
    return TRUTHS.get(folded)


def numbers(cells: Sequence[str], *, comma: bool = False) -> tuple[NDArray[np.float64], list[int]]:
    """The number in each cell, [n], and a mask of the cells that are not numbers; NaN stands for
    these too.
    """
    joined = "\n".join(cells)
    if joined.isascii() and "_" not in joined and all(len(cell) <= LONG for cell in cells):
        try:  # a tenth of the time, where every cell is plainly a number
            return np.array([*map(float, cells)], np.float64), []
        except ValueError:
            pass
    values, odd = np.empty(len(cells)), []
    for index, cell in enumerate(cells):
        value = number(cell, comma=comma)
        if value is None:
            odd.append(index)
            value = math.nan
        values[index] = value
    return values, odd


def mostly(values: NDArray[np.float64], odd: int) -> bool:
    """Whether a column counts as numbers although so many of its cells are neither numbers nor
    known spellings of a missing one.
    """
    found = int((~np.isnan(values)).sum())
    return found > 0 and found >= NUMBERS * odd


def centred(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """(value - offset) / scale in float64, then rounded to float32, which is what a model takes.

    `values` [n, features]; `places` [features, 2], offset and scale of each.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return ((values - places[:, 0]) / places[:, 1]).astype(np.float32)
