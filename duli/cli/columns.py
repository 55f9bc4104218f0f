"""A CSV or Parquet file, of texts or of numbers, as the examples of a release line."""

import json
import math
import re
import unicodedata
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from duli import machine
from duli.cli import suspects
from duli.cli.own_data import FEWEST, Found, Wanted, readable, shown
from duli.errors import DataError
from duli.serving import columns as cells
from duli.serving.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MEMORY = 9  # bytes for one of the file, at its height; measured: 8.2 with texts, 7.3 with numbers
MOST_FEATURES = 10_000
BLOCK = 65_536  # rows that are Python's own strings at a time
# columns that `_read` adds: the number of each row, and of its last line in a file of lines
ROW, LINE = "#", "# line"
OWN = (ROW, LINE)
# what pandas calls an index without a name
INDEX = re.compile(r"__index_level_[0-9]+__|Unnamed: [0-9]+(\.[0-9]+)?")
FEW = 20  # different numbers with fractions that may be classes
PLAIN = (0.0, 1.0)  # offset and scale of a column that float32 holds as it is
MIDNIGHT = " 00:00:00"
DIGITS = 15  # that float64 holds of any number
WIDE = 100  # binary exponent from which on the range of float32 may not do
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


class Odd(NamedTuple):
    """Cells of a column that are no numbers and no known spelling of a missing one; the column has
    some that are.
    """

    cell: str  # the first
    place: str  # "line 702" or "row 701" of it
    cells: int


def columns(path: Path, wanted: Wanted) -> Found:
    """The rows of `path`: texts where it has a column of them, else numbers; labels are in a column
    of their own.

    Raises `DataError` where a column cannot be found, or the file cannot be read. The whole file is
    in memory.
    """
    table, index, comma = _read(path)
    label = _named(table, wanted.label, "label", path) or _guessed(
        table, cells.LABELS, "label", path
    )
    for name in wanted.sensitive:
        _named(table, name, "sensitive", path)
    text = _named(table, wanted.text, "text", path)
    if label in (text, *wanted.sensitive) or text in wanted.sensitive:
        raise DataError("--label, --text and --sensitive have to name different columns")
    kept = {label, text, *wanted.sensitive}
    table, names, notes = _labelled(table, label, path)
    classes = sorted(set(names), key=_order)
    _classes(classes, names, label, path)
    table, odd, finer = _numbers(table, {label, text}, comma=comma)
    numbered = [
        name
        for name in table.column_names
        if name not in (*kept, *OWN) and suspects.counts_rows(_values(table, name))
    ]
    index = [
        name
        for name in table.column_names
        if name not in (*kept, *numbered) and (name in index or INDEX.fullmatch(name))
    ]
    notes += (
        [
            "left out, because they only number the rows:"
            f" {shown([name or '(no name)' for name in numbered], 5)}"
        ]
        if numbered
        else []
    )
    notes += (
        [
            "left out, because pandas calls them the index:"
            f" {shown([name or '(no name)' for name in index], 5)}"
        ]
        if index
        else []
    )
    table = table.drop_columns([*numbered, *index])
    text = text or _text_column(table, label, path)
    if text in wanted.sensitive:
        raise DataError("--label, --text and --sensitive have to name different columns")
    place = {name: number for number, name in enumerate(classes)}
    labels = [place[name] for name in names]
    centred: dict[str, tuple[float, float]] = {}
    if text:
        features, (contents, what) = None, _texts(table, text, path)
    else:
        if not any(
            _measured(table, name) for name in table.column_names if name not in (*kept, *OWN)
        ):
            raise DataError(_no_numbers(table, label, odd, [*numbered, *index], path))
        features, contents, centred, what = _rows(
            table, label, wanted.sensitive, odd, finer, labels, path
        )
    carried, known, more = _known(
        table, {label, *([text] if text else features or [])}, wanted.sensitive, odd, path
    )
    examples = _examples(table[ROW].to_pylist(), path, labels, contents, carried, known)
    sensitive = [name for name, column in carried.items() if column in wanted.sensitive]
    kinds = {
        name: "number" if _numeric(table, column) else "text" for name, column in carried.items()
    }
    notes = [*what, *notes, *more]
    kind = "text" if text else "table"
    return Found(
        kind,
        classes,
        None,
        features,
        kinds,
        sensitive,
        examples,
        notes,
        {},
        label,
        text or "",
        centred,
    )


def _read(path: Path) -> tuple["pa.Table", list[str], bool]:
    """The file's columns, of plain types, and `OWN`; columns that pandas calls its index; whether a
    comma may be the decimal point.

    Raises `DataError` with the fix.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ending = path.suffix.lower()
    index: list[str] = []
    comma = False
    try:
        if ending == ".parquet":
            with pq.ParquetFile(path) as file:
                groups = range(file.metadata.num_row_groups)
                _room(path, sum(file.metadata.row_group(group).total_byte_size for group in groups))
                table = file.read()
            index = _pandas(table.schema.metadata)
            table = _plain(table)
        elif ending in (".csv", ".tsv", ".txt"):
            _room(path, path.stat().st_size)
            table, comma = _csv(path)
            # as pandas writes one
            index = [name for name in table.column_names[:1] if not name.strip()]
        else:
            raise DataError(
                f"{path} is no .csv, .tsv or .parquet file, and no folder of images by class"
            )
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}); mend it, or whom it is"
            " readable for"
        ) from None
    except pa.ArrowException as error:
        raise DataError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); write it again, as Parquet or"
            " as CSV"
        ) from None
    names = table.column_names
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(
            f"{path} has several columns called {', '.join(map(repr, twice[:5]))}; give each a name"
            " of its own"
        )
    if ROW in names:
        raise DataError(
            f"{path} has a column called '{ROW}', which is the row's number here; give it another"
            " name"
        )
    return (
        table.append_column(ROW, pa.array(range(1, table.num_rows + 1), pa.int64())),
        index,
        comma,
    )


def _pandas(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The columns that pandas says are the index of the data frame it wrote."""
    try:
        named = json.loads((metadata or {})[b"pandas"])["index_columns"]
    except (LookupError, TypeError, ValueError):
        return []
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else []


def _room(path: Path, size: int) -> None:
    """Raises `DataError` where the file is too large for the memory that is free."""
    free = machine.available_bytes()
    if MEMORY * size > free:
        raise DataError(
            f"{path} holds {size / 1e9:,.2f} GB, which takes about {MEMORY * size / 1e9:,.1f} GB of"
            f" memory, and {free / 1e9:,.1f} GB are free; give a part of its rows"
        )


def _csv(path: Path) -> tuple["pa.Table", bool]:
    """The cells of the file as they are written, and whether a comma may be the decimal point."""
    import pyarrow as pa

    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is UTF-16, as Excel's 'Unicode text' is; save it as CSV in UTF-8")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 (line {line:,}); save it as CSV in UTF-8, or turn it: `iconv -f"
            " GB18030 -t UTF-8` for Chinese, `-f WINDOWS-1252` for western Europe"
        ) from None
    if not content.strip():
        raise DataError(
            f"{path} is empty; give a file with a line of names, and a row for each example"
        )
    blocks: list[pa.RecordBatch] = []
    try:
        with cells.opened(content) as file:
            schema = pa.schema([*((name, pa.string()) for name in file.header), (LINE, pa.int64())])
            rows: list[list[str]] = []
            lines: list[int] = []

            def done() -> None:
                values = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
                blocks.append(
                    pa.RecordBatch.from_arrays(
                        [*values, pa.array(lines, pa.int64())], schema=schema
                    )
                )
                rows.clear()
                lines.clear()

            for line, values in file.rows:
                rows.append(values)
                lines.append(line)
                if len(rows) == BLOCK:
                    done()
            if rows:
                done()
            return pa.Table.from_batches(blocks, schema), file.comma
    except InputError as error:
        raise DataError(f"{path}: {error}") from None


def _plain(table: "pa.Table") -> "pa.Table":
    """The table with what other programs write as texts as these: categories, long texts, bytes."""
    import pyarrow as pa

    columns = table.columns
    for index, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_large_string(kind) or str(kind) == "string_view":
            kind = pa.string()
        elif str(kind) == "binary_view":
            kind = pa.binary()
        if kind != field.type:
            columns[index] = columns[index].cast(kind)
    return pa.table(columns, names=table.column_names)


def _named(table: "pa.Table", name: str | None, option: str, path: Path) -> str | None:
    if name is not None and (name not in table.column_names or name in OWN):
        raise DataError(f"{path} has no column '{name}'; --{option} takes one of {_all(table)}")
    return name


def _all(table: "pa.Table") -> str:
    return shown([name for name in table.column_names if name not in OWN], 20)


def _guessed(table: "pa.Table", names: tuple[str, ...], option: str, path: Path) -> str:
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


def _labelled(table: "pa.Table", label: str, path: Path) -> tuple["pa.Table", list[str], list[str]]:
    """The rows that have a label, their labels as texts, and what to say of it."""
    import pyarrow as pa

    written = _written(table, label)
    spelled = {text: cells.label(text) for text in dict.fromkeys(written)}
    names = [spelled[text] for text in written]
    there = [bool(name) for name in names]
    missing = len(names) - sum(there)
    if missing == len(names):
        raise DataError(f"{path} has no row with a label in the column '{label}'")
    notes = [f"labels are in the column '{label}'"]
    notes += [f"{missing:,} rows without a label were left out"] if missing else []
    gaps = sorted({name for name in names if name and name.casefold() in cells.MISSING})
    notes += (
        [
            f"labels are taken as written, {shown(gaps, 5)} too; leave the cell empty where a row"
            " has none"
        ]
        if gaps
        else []
    )
    joined = [text for text, name in spelled.items() if name and text != name and name in spelled]
    notes += (
        [
            "labels are taken in Unicode's normal form C and without white space around them, so"
            f" {joined[0]!a} is {spelled[joined[0]]}"
        ]
        if joined
        else []
    )
    return table.filter(pa.array(there)), [name for name in names if name], notes


def _written(table: "pa.Table", label: str) -> list[str]:
    """Labels as the text that stands in the file, or would stand in a CSV of it; empty where there
    is none.

    Whole numbers are their digits, 1.0 is 1.0, truths are true and false, days 2024-01-31, and
    decimals have all their places.
    """
    import pyarrow as pa

    column = table[label]
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


def _classes(classes: list[str], names: list[str], label: str, path: Path) -> None:
    """Raises `DataError` where the labels are no classes."""
    from statistics import median

    values = [cells.number(name) for name in classes]
    fractions = any(
        value is not None and math.isfinite(value) and not value.is_integer() for value in values
    )
    usual = median(Counter(names).values())
    if fractions and None not in values and (len(classes) > FEW or usual < FEWEST):
        raise DataError(
            f"the column '{label}' of {path} holds numbers with fractions, which are no classes"
            f" ({len(classes):,} different ones); name another with --label, or put them into"
            " ranges"
        )
    if len(classes) > max(FEWEST, len(names) / 2):
        raise DataError(
            f"the column '{label}' of {path} has {len(classes):,} values in {len(names):,} rows: no"
            " classes; name another with --label"
        )


def _order(name: str) -> tuple[int, str]:
    """Numbers as numbers, so that 10 comes after 2."""
    return (int(name) if re.fullmatch(r"-?[0-9]{1,15}", name) else -(10**16), name)


def _numbers(
    table: "pa.Table", texts: set[str | None], *, comma: bool
) -> tuple["pa.Table", dict[str, Odd], dict[str, int]]:
    """The table with its columns of texts as numbers, or as truths, where they are; but `texts`.

    What cells in these are neither; how many different numbers a column has of which float64
    tells fewer apart.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

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
    """How many different numbers are written in `texts`; 0 where none is too long for float64."""
    if not any(text and len(text) > DIGITS for text in texts):
        return 0
    plain = (text.strip() for text in texts if text)
    plain = (text.replace(",", ".", 1) if comma and "." not in text else text for text in plain)
    return len(
        {Decimal(text) for text in plain if len(text) <= cells.LONG and cells.PLAIN.fullmatch(text)}
    )


def _place(table: "pa.Table", row: int) -> str:
    return (
        f"line {table[LINE][row].as_py():,}"
        if LINE in table.column_names
        else f"row {table[ROW][row].as_py():,}"
    )


def _values(table: "pa.Table", name: str) -> "NDArray[np.float64]":
    """The column in float64; all of it NaN where it has no numbers."""
    import numpy as np
    import pyarrow as pa

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


def _numeric(table: "pa.Table", name: str | int) -> bool:
    import pyarrow as pa

    kind = table.schema.field(name).type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _measured(table: "pa.Table", name: str) -> bool:
    """Whether a column may be a feature."""
    return _numeric(table, name) or _boolean(table, name)


def _string(table: "pa.Table", name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(table.schema.field(name).type))


def _boolean(table: "pa.Table", name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_boolean(table.schema.field(name).type))


def _text_column(table: "pa.Table", label: str, path: Path) -> str | None:
    """The column of texts: one that is called so, or the only one there is."""
    others = [name for name in table.column_names if name not in (label, *OWN)]
    strings = [name for name in others if _string(table, name)]
    named = cells.guessed(strings, cells.TEXTS)
    if len(named) > 1:
        raise DataError(
            f"{path} has several columns that may be the text ({', '.join(named)}); name one with"
            " --text"
        )
    return named[0] if named else strings[0] if strings == others and len(strings) == 1 else None


def _texts(table: "pa.Table", text: str, path: Path) -> tuple[list[bytes], list[str]]:
    """The texts as bytes, in Unicode's normal form C, so that what reads alike is alike."""
    if not _string(table, text):
        raise DataError(
            f"the column '{text}' of {path} holds no texts; name another with --text, or none where"
            " the columns are numbers"
        )
    contents = [
        unicodedata.normalize("NFC", (value or "").strip()).encode()
        for value in table[text].to_pylist()
    ]
    empty = sum(not content for content in contents)
    notes = [f"texts are in the column '{text}'"]
    return contents, [
        *notes,
        *([f"{empty:,} texts are empty; the line puts them into quarantine"] if empty else []),
    ]


def _no_numbers(
    table: "pa.Table", label: str, odd: dict[str, Odd], dropped: list[str], path: Path
) -> str:
    """Why nothing in a file can be learned from."""
    told = [_told(odd)] if odd else []
    names = shown([name or "(no name)" for name in dropped], 5)
    told += [f"{names} only number the rows, or are the index"] if dropped else []
    return (
        f"{path} has no column of numbers besides '{label}', and none that is plainly the text"
        f"{''.join(f'; {one}' for one in told)}; --text takes one of {_all(table)}"
    )


def _rows(
    table: "pa.Table",
    label: str,
    sensitive: tuple[str, ...],
    odd: dict[str, Odd],
    finer: dict[str, int],
    labels: list[int],
    path: Path,
) -> tuple[list[str], list[bytes], dict[str, tuple[float, float]], list[str]]:
    """Names of the columns of numbers, their values row by row, where they lie (`_place_of`), and
    what to say of them.

    NaN is a value that is missing.
    """
    import numpy as np

    others = [name for name in table.column_names if name not in (label, *OWN, *sensitive)]
    features = [name for name in others if _measured(table, name)]
    if len(features) > MOST_FEATURES:
        raise DataError(
            f"{path} has {len(features):,} columns of numbers, more than {MOST_FEATURES:,}; choose"
            " among them first"
        )
    if any(not name.strip() for name in features):
        raise DataError(f"{path} has a column without a name; name it in the first line")
    found: NDArray[np.float32] = np.empty((table.num_rows, len(features)), "<f4")
    centred: dict[str, tuple[float, float]] = {}
    empty, rounded, telling = [], [], []
    for index, name in enumerate(features):
        values = _values(table, name)
        place, lost, different = _place_of(values)
        more = finer.get(name, different) - different
        lost, different = lost + more, different + more
        if place != PLAIN:
            centred[name] = place
        found[:, index] = cells.centred(values[:, None], np.array([place]))[:, 0]
        empty += [name] if np.isnan(values).all() else []
        rounded += [f"{name} ({different - lost:,} of {different:,})"] if lost else []
        if told := suspects.alone(values, np.array(labels)):
            telling.append(
                f"{name} alone tells the classes apart in {told[0]:,} of {told[1]:,} rows"
            )
    if empty:
        raise DataError(f"{path} has no number at all in {shown(empty, 5)}; take the columns out")
    strange = int((np.isinf(found).any(axis=1) | np.isnan(found).all(axis=1)).sum())
    missing = int(np.isnan(found).sum())
    taken = {name: cell for name, cell in odd.items() if name in features}
    notes = [f"{len(features):,} columns of numbers are learned from: {shown(features, 8)}"]
    notes += [f"cells that are no numbers count as missing: {_told(taken)}"] if taken else []
    notes += (
        [f"{missing:,} numbers are missing; the mean of their column stands for them"]
        if missing
        else []
    )
    notes += (
        [
            f"{strange:,} rows are without numbers, or with infinite ones; the line puts them into"
            " quarantine"
        ]
        if strange
        else []
    )
    notes += (
        [
            "float32, which models compute in, tells fewer values apart than there are in"
            f" {shown(rounded, 5)}"
        ]
        if rounded
        else []
    )
    notes += [f"{one}: is it known before the label?" for one in telling[:5]]
    notes += [f"{len(telling) - 5:,} more columns do so alone"] if telling[5:] else []
    return features, [row.tobytes() for row in found], centred, notes


def _place_of(values: "NDArray[np.float64]") -> tuple[tuple[float, float], int, int]:
    """Offset and scale of a column in float32, how many of its different values that rounds onto
    others, and how many there are.

    0 and 1, unless float32 tells more values apart around one of their own: times in milliseconds,
    very large and very small numbers.
    """
    import numpy as np

    known = np.unique(values[np.isfinite(values)])
    if not len(known):
        return PLAIN, 0, 0

    def lost(place: tuple[float, float]) -> int:
        kept = cells.centred(known[:, None], np.array([place]))[:, 0]
        return len(known) - len(np.unique(kept[np.isfinite(kept)]))

    # as close as that lie some of so many values, whatever they are
    by_chance = len(known) ** 2 / 2**22
    if (plainly := lost(PLAIN)) <= by_chance:
        return PLAIN, 0, len(known)
    offset = float(known[len(known) // 2])
    with np.errstate(over="ignore"):
        exponent = int(np.frexp(np.abs(known - offset).max())[1])
    around = (offset, 1.0 if abs(exponent) < WIDE else float(np.ldexp(1.0, min(exponent, 1023))))
    place, left = min((PLAIN, plainly), (around, lost(around)), key=lambda one: one[1])
    return place, left if left > by_chance else 0, len(known)


def _told(odd: dict[str, Odd]) -> str:
    """Of each column the first cell that is no number, and where it stands."""
    told = [
        f"{name} has {one.cell[:20]!r} in {one.place}{_sort(one.cell)}"
        + (f" and {one.cells - 1:,} more" if one.cells > 1 else "")
        for name, one in odd.items()
    ]
    return shown(told, 5)


def _sort(cell: str) -> str:
    """What makes a number of another notation of `cell`, where one can see it."""
    plain = cell.strip()
    for pattern, sort in NOTATIONS:
        if re.fullmatch(pattern, plain):
            return f" ({sort})"
    return ""


def _known(
    table: "pa.Table", taken: set[str], sensitive: tuple[str, ...], odd: dict[str, Odd], path: Path
) -> tuple[dict[str, str], list["pa.Array"], list[str]]:
    """What else is known of each example: columns by the names they get, their values, and what to
    say of them.

    Results are shown by these, and nothing is learned from them; a column of more different texts
    than can be shown is left out.
    """
    import pyarrow as pa

    from duli.evaluation.slices import MANY
    from duli.preparation import clean, text
    from duli.preparation import table as rows

    # the last is a slice of every line
    own = {*clean.RESERVED, *text.STATISTICS.names, *rows.STATISTICS.names, "class"}
    carried: dict[str, str] = {}
    values, left = [], []
    for index, name in enumerate(table.column_names, start=1):
        if name in taken or name in OWN:
            continue
        column = table[name]
        if _numeric(table, name):
            value = pa.array(_values(table, name), pa.float64(), from_pandas=True).cast(
                pa.float32(), safe=False
            )
        elif _string(table, name) or _boolean(table, name):
            texts = [
                None if one is None else str(one).strip() or None for one in column.to_pylist()
            ]
            value = pa.array(texts, pa.string())
        else:
            left.append(name)
            continue
        if (
            pa.types.is_string(value.type)
            and not 1 < len(different := {*value.to_pylist()} - {None}) <= MANY
        ):
            if name in sensitive:
                raise DataError(
                    f"the column '{name}' of {path} has {len(different):,} different texts; results"
                    f" can be shown by 2 to {MANY}"
                )
            left.append(
                _told({name: odd[name]})
                if name in odd
                else f"{name} (such as '{next(iter(sorted(different)), '')[:20]}')"
            )
            continue
        plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        plain = plain if plain[:1].isalpha() else f"column_{index}"
        while plain in own or plain in carried:
            plain += "_column"
        carried[plain] = name
        values.append(value)
    told = [name if name == column else f"{column} as {name}" for name, column in carried.items()]
    notes = (
        [f"results are shown by {shown(told, 8)}; nothing is learned from that"] if carried else []
    )
    return (
        carried,
        values,
        [
            *notes,
            *([f"columns that are no numbers were left out: {shown(left, 8)}"] if left else []),
        ],
    )


def _examples(
    rows: list[int],
    path: Path,
    labels: list[int],
    contents: list[bytes],
    carried: dict[str, str],
    known: list[Any],
) -> "pa.Table":
    import pyarrow as pa

    from duli.datasets.own import schema

    stem = readable(path.stem)
    kinds = {
        name: "text" if pa.types.is_string(value.type) else "number"
        for name, value in zip(carried, known, strict=True)
    }
    fields = schema(kinds)
    own = [[f"{stem}-{row}" for row in rows], [""] * len(rows), labels, contents]
    return pa.table(
        [*(pa.array(one, field.type) for one, field in zip(own, fields, strict=False)), *known],
        schema=fields,
    )
