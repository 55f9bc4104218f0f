"""A CSV or Parquet file, of texts or of numbers, as the examples of a release line."""

import csv
import io
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli import machine
from duli.cli.convert import FEWEST, Found, Wanted, readable, shown
from duli.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

LABELS = ("label", "labels", "class", "target", "category", "sentiment", "y", "标签", "类别")
TEXTS = ("text", "review", "content", "sentence", "comment", "message", "body", "文本", "内容", "评论")
GAPS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "?"]  # a number that is missing, as people write it
DELIMITERS = ",;\t|"
MEMORY = 9  # bytes for one of the file, at its height; measured: 8.2 with texts, 7.3 with numbers
MOST_FEATURES = 10_000


def columns(path: Path, wanted: Wanted) -> Found:
    """The rows of `path`: texts where it has a column of them, else numbers; labels are in a column of their own.

    Raises `DataError` where a column cannot be found, or the file cannot be read. The whole file is in memory.
    """
    table = _read(path)
    label = _named(table, wanted.label, "label", path) or _guessed(table, LABELS, "label", path)
    table, names, notes = _labelled(table, label, path)
    classes = sorted(set(names), key=_order)
    if len(classes) > max(FEWEST, len(names) / 2):
        raise DataError(
            f"the column '{label}' of {path} has {len(classes):,} values in {len(names):,} rows: no classes; name another with --label"
        )
    numbered = [name for name in table.column_names if name not in (label, "#", *wanted.sensitive) and _counts_rows(table[name])]
    notes += [f"left out, because they only number the rows: {shown(numbered, 5)}"] if numbered else []
    table = table.drop_columns(numbered)
    for name in wanted.sensitive:
        _named(table, name, "sensitive", path)
    text = _named(table, wanted.text, "text", path) or _text_column(table, label, path)
    if label in (text, *wanted.sensitive) or text in wanted.sensitive:
        raise DataError("--label, --text and --sensitive have to name different columns")
    place = {name: index for index, name in enumerate(classes)}
    features, contents, what = _texts(table, text, label, path) if text else _rows(table, label, wanted.sensitive, path)
    carried, known, more = _known(table, {label, *([text] if text else features or [])}, wanted.sensitive, path)
    examples = _examples(table["#"].to_pylist(), path, [place[name] for name in names], contents, carried, known)
    sensitive = [name for name, column in carried.items() if column in wanted.sensitive]
    kinds = {name: "number" if _numeric(table, column) else "text" for name, column in carried.items()}
    return Found("text" if text else "table", classes, None, features, kinds, sensitive, examples, [*what, *notes, *more])


def _read(path: Path) -> "pa.Table":
    """The file's columns, of plain types, and `#`, the number of each row; raises `DataError` with the fix."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            with pq.ParquetFile(path) as file:
                groups = range(file.metadata.num_row_groups)
                _room(path, sum(file.metadata.row_group(group).total_byte_size for group in groups))
                table = _plain(file.read())
        elif ending in (".csv", ".tsv", ".txt"):
            _room(path, path.stat().st_size)
            table = _csv(path, ending)
        else:
            raise DataError(f"{path} is no .csv, .tsv or .parquet file, and no folder of images by class")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); mend it, or whom it is readable for") from None
    except pa.ArrowException as error:
        raise DataError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); give a CSV file with a line of names and as many values in each row, "
            "or Parquet"
        ) from None
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has several columns called {', '.join(map(repr, twice[:5]))}; give each a name of its own")
    if "#" in names:
        raise DataError(f"{path} has a column called '#', which is the row's number here; give it another name")
    return table.append_column("#", pa.array(range(1, table.num_rows + 1)))


def _room(path: Path, size: int) -> None:
    """Raises `DataError` where the file is too large for the memory that is free."""
    free = machine.available_bytes()
    if MEMORY * size > free:
        raise DataError(
            f"{path} holds {size / 1e9:,.2f} GB, which takes about {MEMORY * size / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are "
            "free; give a part of its rows"
        )


def _csv(path: Path, ending: str) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.csv

    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is UTF-16, as Excel's 'Unicode text' is; save it as CSV in UTF-8")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 (line {line:,}); save it as CSV in UTF-8, or turn it: `iconv -f GB18030 -t UTF-8` for Chinese, "
            "`-f WINDOWS-1252` for western Europe"
        ) from None
    if not content.strip():
        raise DataError(f"{path} is empty; give a file with a line of names, and a row for each example")
    delimiter = "\t" if ending == ".tsv" else _delimiter(content)

    def read(decimal_point: str) -> "pa.Table":
        return pa.csv.read_csv(
            io.BytesIO(content),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(null_values=GAPS, decimal_point=decimal_point),
        )

    table = read(".")
    if delimiter == ";":  # as spreadsheets write it where a comma is the decimal point
        other = read(",")
        table = max((table, other), key=lambda one: sum(_numeric(one, index) for index in range(one.num_columns)))
    return table


def _delimiter(content: bytes) -> str:
    """What parts the names in the first line; a comma where nothing does."""
    head = io.StringIO(content[: 1 << 20].decode(errors="ignore"), newline="")
    line = head.readline()
    return max(DELIMITERS, key=lambda one: len(next(csv.reader([line], delimiter=one), [])))


def _plain(table: "pa.Table") -> "pa.Table":
    """The table with what other programs write as numbers or texts as these: categories, long texts, decimals."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_large_string(kind) or str(kind) == "string_view":
            kind = pa.string()
        elif pa.types.is_decimal(kind):
            kind = pa.float64()
        if kind != field.type:
            table = table.set_column(index, field.name, table.column(index).cast(kind))
    return table


def _named(table: "pa.Table", name: str | None, option: str, path: Path) -> str | None:
    if name is not None and (name not in table.column_names or name == "#"):
        raise DataError(f"{path} has no column '{name}'; --{option} takes one of {_all(table)}")
    return name


def _all(table: "pa.Table") -> str:
    return shown([name for name in table.column_names if name != "#"], 20)


def _guessed(table: "pa.Table", names: tuple[str, ...], option: str, path: Path) -> str:
    found = [name for name in table.column_names if name.strip().lower() in names]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise DataError(f"{path} has several columns that may be the {option} ({', '.join(found)}); name one with --{option}")
    raise DataError(f"no column of {path} is called {', '.join(names[:4])} or the like; --{option} takes one of {_all(table)}")


def _labelled(table: "pa.Table", label: str, path: Path) -> tuple["pa.Table", list[str], list[str]]:
    """The rows that have a label, their labels as texts, and what to say of it."""
    import pyarrow as pa

    values = table[label].to_pylist()
    if pa.types.is_floating(table.schema.field(label).type):
        values = [None if value is None or math.isnan(value) else value for value in values]
        if not all(value is None or float(value).is_integer() for value in values):
            raise DataError(
                f"the column '{label}' of {path} holds numbers with fractions, which are no classes; "
                "name another with --label, or put them into ranges"
            )
        values = [None if value is None else int(value) for value in values]
    names = ["" if value is None else readable(str(value).strip()) for value in values]
    there = [bool(name) for name in names]
    missing = len(names) - sum(there)
    if missing == len(names):
        raise DataError(f"{path} has no row with a label in the column '{label}'")
    notes = [f"{missing:,} rows without a label were left out"] if missing else []
    return table.filter(pa.array(there)), [name for name in names if name], [f"labels are in the column '{label}'", *notes]


def _order(name: str) -> tuple[int, str]:
    """Numbers as numbers, so that 10 comes after 2."""
    return (int(name), "") if re.fullmatch(r"-?\d{1,15}", name) else (-(10**16), name)


def _counts_rows(column: "pa.ChunkedArray") -> bool:
    """Whether it holds whole numbers each one more than that before, as the index does that other programs write along.

    In a file sorted by label such a column gives the label away.
    """
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_integer(column.type) or column.null_count:
        return False
    values = column.to_numpy()
    return len(values) > 1 and bool((np.diff(values.astype(np.float64)) == 1).all())


def _numeric(table: "pa.Table", name: str | int) -> bool:
    import pyarrow as pa

    kind = table.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _string(table: "pa.Table", name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(table.schema.field(name).type))


def _boolean(table: "pa.Table", name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_boolean(table.schema.field(name).type))


def _text_column(table: "pa.Table", label: str, path: Path) -> str | None:
    """The column of texts: one that is called so, or the only one there is."""
    others = [name for name in table.column_names if name not in (label, "#")]
    strings = [name for name in others if _string(table, name)]
    named = [name for name in strings if name.strip().lower() in TEXTS]
    if len(named) > 1:
        raise DataError(f"{path} has several columns that may be the text ({', '.join(named)}); name one with --text")
    return named[0] if named else strings[0] if strings == others and len(strings) == 1 else None


def _texts(table: "pa.Table", text: str, label: str, path: Path) -> tuple[None, list[bytes], list[str]]:
    """The texts as bytes, in Unicode's normal form C, so that what reads alike is alike."""
    import unicodedata

    if not _string(table, text):
        raise DataError(f"the column '{text}' of {path} holds no texts; name another with --text, or none where the columns are numbers")
    contents = [unicodedata.normalize("NFC", (value or "").strip()).encode() for value in table[text].to_pylist()]
    empty = sum(not content for content in contents)
    notes = [f"texts are in the column '{text}'"]
    return None, contents, [*notes, *([f"{empty:,} texts are empty; the line puts them into quarantine"] if empty else [])]


def _rows(table: "pa.Table", label: str, sensitive: tuple[str, ...], path: Path) -> tuple[list[str], list[bytes], list[str]]:
    """Names of the columns of numbers, their values row by row, and what to say of them; NaN where one is missing."""
    import numpy as np
    import pyarrow as pa

    others = [name for name in table.column_names if name not in (label, "#", *sensitive)]
    features = [name for name in others if _numeric(table, name) or _boolean(table, name)]
    if not features:
        raise DataError(
            f"{path} has no column of numbers besides '{label}', and none that is plainly the text; --text takes one of {_all(table)}"
        )
    if len(features) > MOST_FEATURES:
        raise DataError(f"{path} has {len(features):,} columns of numbers, more than {MOST_FEATURES:,}; choose among them first")
    if any(not name.strip() for name in features):
        raise DataError(f"{path} has a column without a name; name it in the first line")
    with np.errstate(over="ignore"):
        columns = [table[name].cast(pa.float64(), safe=False).to_numpy().astype("<f4") for name in features]
    values: NDArray[np.float32] = np.stack(columns, axis=1)
    odd = int((np.isinf(values).any(axis=1) | np.isnan(values).all(axis=1)).sum())
    empty = [name for name, column in zip(features, columns, strict=True) if np.isnan(column).all()]
    if empty:
        raise DataError(f"{path} has no number at all in {shown(empty, 5)}; take the columns out")
    missing = int(np.isnan(values).sum())
    notes = [f"{len(features):,} columns of numbers are learned from: {shown(features, 8)}"]
    notes += [f"{missing:,} numbers are missing; the mean of their column stands for them"] if missing else []
    notes += [f"{odd:,} rows are without numbers, or with infinite ones; the line puts them into quarantine"] if odd else []
    return features, [row.tobytes() for row in values], notes


def _known(
    table: "pa.Table", taken: set[str], sensitive: tuple[str, ...], path: Path
) -> tuple[dict[str, str], list["pa.Array"], list[str]]:
    """What else is known of each example: columns by the names they get, their values, and what to say of them.

    Results are shown by these, and nothing is learned from them; a column of more different texts than can be shown is left out.
    """
    import pyarrow as pa

    from duli.evaluation.slices import MANY
    from duli.preparation import clean, text
    from duli.preparation import table as rows

    own = {*clean.RESERVED, *text.STATISTICS.names, *rows.STATISTICS.names, "class"}  # the last is a slice of every line
    carried: dict[str, str] = {}
    values, left = [], []
    for index, name in enumerate(table.column_names, start=1):
        if name in taken or name == "#":
            continue
        column = table[name]
        if _numeric(table, name):
            value = column.cast(pa.float64(), safe=False).cast(pa.float32(), safe=False)
        elif _string(table, name) or _boolean(table, name):
            texts = [None if one is None else str(one).strip() or None for one in column.to_pylist()]
            value = pa.array(texts, pa.string())
        else:
            left.append(name)
            continue
        if pa.types.is_string(value.type) and not 1 < len(different := {*value.to_pylist()} - {None}) <= MANY:
            if name in sensitive:
                raise DataError(
                    f"the column '{name}' of {path} has {len(different):,} different texts; results can be shown by 2 to {MANY}"
                )
            left.append(f"{name} (such as '{next(iter(sorted(different)), '')[:20]}')")
            continue
        plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
        plain = plain if plain[:1].isalpha() else f"column_{index}"
        while plain in own or plain in carried:
            plain += "_column"
        carried[plain] = name
        values.append(value)
    told = [name if name == column else f"{column} as {name}" for name, column in carried.items()]
    notes = [f"results are shown by {shown(told, 8)}; nothing is learned from that"] if carried else []
    return carried, values, [*notes, *([f"columns that are no numbers were left out: {shown(left, 8)}"] if left else [])]


def _examples(
    rows: list[int], path: Path, labels: list[int], contents: list[bytes], carried: dict[str, str], known: list[Any]
) -> "pa.Table":
    import pyarrow as pa

    from duli.datasets.own import schema

    stem = readable(path.stem)
    kinds = {name: "text" if pa.types.is_string(value.type) else "number" for name, value in zip(carried, known, strict=True)}
    fields = schema(kinds)
    own = [[f"{stem}-{row}" for row in rows], [""] * len(rows), labels, contents]
    return pa.table([*(pa.array(one, field.type) for one, field in zip(own, fields, strict=False)), *known], schema=fields)
