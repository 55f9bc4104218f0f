"""A file of columns: the label, the features, and the further columns of each row."""

import math
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.intake import files, numbering
from duli.intake.files import LINE, OWN, ROW
from duli.intake.found import Task, Wanted, shown
from duli.serving import columns as cells
from duli.serving.sources import readable

# what pandas calls an index without a name
INDEX = re.compile(r"__index_level_[0-9]+__|Unnamed: [0-9]+(\.[0-9]+)?")
DIGITS = 15  # significant digits that float64 keeps of any number
NOTATIONS = (
    (
        r"[+-]?[0-9]{1,3}(?:[,.' \u00a0\u202f\u2019][0-9]{3})+(?:[.,][0-9]+)?",
        "write it without thousands separators",
    ),
    (r"[+-]?[0-9]+,[0-9]+", "write it with a decimal point"),
    (r"[+-]?[0-9.,]+ ?[%\u2030\uff05]", "write it without the per cent sign"),
    (
        r"[^0-9\w\s.,+-]{1,3} ?[+-]?[0-9.,' ]+|[+-]?[0-9.,' ]+ ?[^0-9\w\s.,+-]{1,3}",
        "write it without the currency",
    ),
)
ONE_COLUMN = "--label, --text and --sensitive have to name different columns"


class Odd(NamedTuple):
    """Cells of a column that are no numbers and no known spelling of a missing one; the column has
    some that are.
    """

    cell: str  # the first
    place: str  # "line 702" or "row 701" of it
    cells: int


class Known(NamedTuple):
    """Further columns of each example, by the names they get."""

    columns: Mapping[str, str] = {}  # name -> what the file calls it
    types: Mapping[str, str] = {}  # name -> number or text
    values: tuple[pa.Array, ...] = ()
    notes: tuple[str, ...] = ()


class Sheet:
    """The rows of a file that have a label, with columns of numbers as numbers.

    Columns that number the rows are left out. Raises `DataError` if a column cannot be found, or
    the file cannot be read. The whole file is in memory.
    """

    def __init__(self, path: Path, wanted: Wanted, task: Task) -> None:
        table, index, comma = files.read(path)
        self.path = path
        self.label = _named(table, wanted.label, "label", path) or _guessed(
            table, cells.LABELS, "label", path
        )
        for name in wanted.sensitive:
            _named(table, name, "sensitive", path)
        text = _named(table, wanted.text, "text", path)
        if self.label in (text, *wanted.sensitive) or text in wanted.sensitive:
            raise DataError(ONE_COLUMN)
        self.sensitive = wanted.sensitive
        there, self.labels = task.of_column(table[self.label], self.label, path)
        table = table.filter(pa.array(there))
        # cells that are no numbers; how many different numbers a column has of which float64 tells
        # fewer apart
        table, self.odd, self.finer = as_numbers(table, {self.label, text}, comma=comma)
        kept = {self.label, text, *wanted.sensitive, *OWN}
        numbered = [
            name
            for name in table.column_names
            if name not in kept and numbering.counts_rows(_values(table, name))
        ]
        index = [
            name
            for name in table.column_names
            if name not in (*kept, *numbered) and (name in index or INDEX.fullmatch(name))
        ]
        self.left = [name or "(no name)" for name in (*numbered, *index)]
        left_out = {
            "they only number the rows": self.left[: len(numbered)],
            "pandas calls them the index": self.left[len(numbered) :],
        }
        self.notes = [
            *self.labels.notes,
            *(
                f"left out, because {reason}: {shown(names, 5)}"
                for reason, names in left_out.items()
                if names
            ),
        ]
        self.table = table.drop_columns([*numbered, *index])
        # the column that is plainly the text of each row
        self.text = text or self._text()
        if self.text in wanted.sensitive:
            raise DataError(ONE_COLUMN)

    @property
    def ids(self) -> list[str]:
        """A name for each row."""
        stem = readable(self.path.stem)
        return [f"{stem}-{row}" for row in self.table[ROW].to_pylist()]

    @property
    def names(self) -> list[str]:
        """The columns of the file."""
        return [name for name in self.table.column_names if name not in OWN]

    @property
    def measured(self) -> list[str]:
        """Columns of numbers and booleans that may be features."""
        return [
            name
            for name in self.names
            if name not in (self.label, *self.sensitive)
            and (_numeric(self.table, name) or _boolean(self.table, name))
        ]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as float64 [n]; all NaN if it holds no numbers."""
        return _values(self.table, name)

    def texts(self, name: str) -> list[str]:
        """A column of texts, [n], "" for a missing one; raises `DataError` if it has none."""
        if not _string(self.table, name):
            raise DataError(
                f"the column '{name}' of {self.path} holds no texts; name another with --text, or"
                " none where the columns are numbers"
            )
        return [value or "" for value in self.table[name].to_pylist()]

    def choices(self) -> str:
        """The columns, listed for an error message."""
        return _all(self.table)

    def known(self, taken: Collection[str], reserved: Collection[str], most: int) -> Known:
        """Further columns of each row: results are shown by them, and nothing is learned from them.

        Names are none of `reserved`. A column of more than `most` different texts is left out;
        raises `DataError` if it is a sensitive one.
        """
        columns: dict[str, str] = {}
        values, left = [], []
        for index, name in enumerate(self.table.column_names, start=1):
            if name in (self.label, *taken, *OWN):
                continue
            if _numeric(self.table, name):
                value = pa.array(self.numbers(name), pa.float64(), from_pandas=True).cast(
                    pa.float32(), safe=False
                )
            elif _string(self.table, name) or _boolean(self.table, name):
                cut = [
                    None if one is None else str(one).strip() or None
                    for one in self.table[name].to_pylist()
                ]
                value = pa.array(cut, pa.string())
            else:
                left.append(name)
                continue
            different = {*value.to_pylist()} - {None} if pa.types.is_string(value.type) else None
            if different is not None and not 1 < len(different) <= most:
                if name in self.sensitive:
                    raise DataError(
                        f"the column '{name}' of {self.path} has {len(different):,} different"
                        f" texts; results can be shown by 2 to {most}"
                    )
                left.append(
                    first_odd_cells({name: self.odd[name]})
                    if name in self.odd
                    else f"{name} (such as '{next(iter(sorted(different)), '')[:20]}')"
                )
                continue
            plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
            plain = plain if plain[:1].isalpha() else f"column_{index}"
            while plain in reserved or plain in columns:
                plain += "_column"
            columns[plain] = name
            values.append(value)
        named = [one if one == name else f"{name} as {one}" for one, name in columns.items()]
        notes = (
            [f"results are shown by {shown(named, 8)}; nothing is learned from that"]
            if named
            else []
        )
        notes += [f"columns that are no numbers were left out: {shown(left, 8)}"] if left else []
        types = {
            name: "number" if _numeric(self.table, column) else "text"
            for name, column in columns.items()
        }
        return Known(columns, types, tuple(values), tuple(notes))

    def _text(self) -> str | None:
        """The column of texts: one that is called so, or the only one there is."""
        others = [name for name in self.names if name != self.label]
        strings = [name for name in others if _string(self.table, name)]
        named = cells.guessed(strings, cells.TEXTS)
        if len(named) > 1:
            raise DataError(
                f"{self.path} has several columns that may be the text ({', '.join(named)}); name"
                " one with --text"
            )
        if named:
            return named[0]
        return strings[0] if strings == others and len(strings) == 1 else None


def first_odd_cells(odd: Mapping[str, Odd]) -> str:
    """The first cell of each column that is not a number, with its place."""
    each = [
        f"{name} has {one.cell[:20]!r} in {one.place}{_notation(one.cell)}"
        + (f" and {one.cells - 1:,} more" if one.cells > 1 else "")
        for name, one in odd.items()
    ]
    return shown(each, 5)


def as_numbers(
    table: pa.Table, texts: Collection[str | None], *, comma: bool
) -> tuple[pa.Table, dict[str, Odd], dict[str, int]]:
    """The table with its columns of texts as numbers, or as truths, where they are; but `texts`.

    What cells in these are neither; how many different numbers a column has of which float64
    tells fewer apart.
    """
    odd: dict[str, Odd] = {}
    finer: dict[str, int] = {}
    columns = table.columns
    for position, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if name in texts or not _string(table, name):
            if name not in (*texts, *OWN) and pa.types.is_integer(column.type):
                there, kept = (
                    pc.count_distinct(one).as_py()
                    for one in (column, column.cast(pa.float64(), safe=False))
                )
                finer |= {name: there} if there > kept else {}
            continue
        parts, strange, start = [np.empty(0)], [], 0
        for chunk in column.chunks:
            some, strays = cells.numbers([cell or "" for cell in chunk.to_pylist()], comma=comma)
            parts.append(some)
            strange += [start + stray for stray in strays]
            start += len(chunk)
        values = np.concatenate(parts)
        known = values[~np.isnan(values)]
        if strange and len(known):
            odd[name] = Odd(column[strange[0]].as_py(), _place(table, strange[0]), len(strange))
        if strange and not cells.mostly(values, len(strange)):
            continue
        different = _different(pc.unique(column).to_pylist(), comma=comma)
        finer |= {name: different} if different > len(np.unique(known)) else {}
        made = pa.array(values, from_pandas=True)
        if len(known) and np.isin(known, (0, 1)).all():
            said = {
                text.strip().casefold()
                for text in pc.unique(column).to_pylist()
                if text is not None
            }
            made = made.cast(pa.bool_()) if said <= {*cells.TRUTHS, *cells.MISSING} else made
        columns[position] = pa.chunked_array([made])
    return pa.table(columns, names=table.column_names), odd, finer


def _different(texts: list[str | None], *, comma: bool) -> int:
    """The number of distinct numbers in `texts`; 0 if none is too long for float64."""
    if not any(text and len(text) > DIGITS for text in texts):
        return 0
    plain = (text.strip() for text in texts if text)
    plain = (text.replace(",", ".", 1) if comma and "." not in text else text for text in plain)
    return len(
        {Decimal(text) for text in plain if len(text) <= cells.LONG and cells.PLAIN.fullmatch(text)}
    )


def _named(table: pa.Table, name: str | None, option: str, path: Path) -> str | None:
    if name is not None and (name not in table.column_names or name in OWN):
        raise DataError(f"{path} has no column '{name}'; --{option} takes one of {_all(table)}")
    return name


def _all(table: pa.Table) -> str:
    return shown([name for name in table.column_names if name not in OWN], 20)


def _guessed(table: pa.Table, names: tuple[str, ...], option: str, path: Path) -> str:
    found = cells.guessed(table.column_names, names)
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{path} has several columns that may be the {option} ({', '.join(found)}); name one"
            f" with --{option}"
        )
    raise DataError(
        f"no column of {path} is called {', '.join(names[:4])} or the like; --{option} takes one of"
        f" {_all(table)}"
    )


def _place(table: pa.Table, row: int) -> str:
    return (
        f"line {table[LINE][row].as_py():,}"
        if LINE in table.column_names
        else f"row {table[ROW][row].as_py():,}"
    )


def _values(table: pa.Table, name: str) -> NDArray[np.float64]:
    kind = table.schema.field(name).type
    if pa.types.is_string(kind):
        values, odd = cells.numbers([cell or "" for cell in table[name].to_pylist()])
        return np.full(len(values), np.nan) if odd else values
    if not (_numeric(table, name) or pa.types.is_boolean(kind)):
        return np.full(table.num_rows, np.nan)
    if pa.types.is_decimal(kind):
        return np.array(
            [math.nan if value is None else float(value) for value in table[name].to_pylist()]
        )
    return np.asarray(table[name].cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _numeric(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _string(table: pa.Table, name: str) -> bool:
    return bool(pa.types.is_string(table.schema.field(name).type))


def _boolean(table: pa.Table, name: str) -> bool:
    return bool(pa.types.is_boolean(table.schema.field(name).type))


def _notation(cell: str) -> str:
    """The notation that makes `cell` a number, if it can be recognized."""
    plain = cell.strip()
    for pattern, advice in NOTATIONS:
        if re.fullmatch(pattern, plain):
            return f" ({advice})"
    return ""
