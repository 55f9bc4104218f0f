"""Reads files of columns, .csv, .tsv and .parquet, as other programs write them."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from duli.base import machine
from duli.base.errors import DataError
from duli.serving import columns as cells
from duli.serving.errors import InputError

ENDINGS = (".csv", ".tsv", ".txt", ".parquet")
MEMORY = 9  # peak bytes of memory per byte of the file; measured: 8.2 with texts, 7.3 with numbers
BLOCK = 65_536  # rows held as Python strings at a time
# columns that `read` adds: the number of each row, and of its last line in a file of lines
ROW, LINE = "#", "# line"
OWN = (ROW, LINE)


def read(path: Path) -> tuple[pa.Table, list[str], bool]:
    """The file's columns, of plain types, and `OWN`; columns that pandas calls its index; whether a
    comma may be the decimal point.

    Raises `DataError` with the fix.
    """
    index: list[str] = []
    comma = False
    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as file:
                groups = range(file.metadata.num_row_groups)
                _room(path, sum(file.metadata.row_group(group).total_byte_size for group in groups))
                table = file.read()
            index = _pandas(table.schema.metadata)
            table = _plain(table)
        else:
            _room(path, path.stat().st_size)
            table, comma = _csv(path)
            # as pandas writes one
            index = [name for name in table.column_names[:1] if not name.strip()]
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
    """Raises `DataError` if the file does not fit into the free memory."""
    free = machine.available_bytes()
    if MEMORY * size > free:
        raise DataError(
            f"{path} holds {size / 1e9:,.2f} GB, which takes about {MEMORY * size / 1e9:,.1f} GB of"
            f" memory, and {free / 1e9:,.1f} GB are free; give a part of its rows"
        )


def _csv(path: Path) -> tuple[pa.Table, bool]:
    """The cells of the file as written, and whether a comma may be the decimal point."""
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


def _plain(table: pa.Table) -> pa.Table:
    """The table with types of other programs converted: categories, long texts, bytes."""
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
