"""Own data: a Parquet file written by `duli new`, described by the line's params."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from duli.base.errors import DataError, ParamsError
from duli.datasets.shared.sources import Folder, Source

FILE = "examples.parquet"
TYPES = {"number": pa.float32(), "text": pa.string()}  # type of a further column


def schema(columns: Mapping[str, str], label: pa.DataType) -> pa.Schema:
    """The schema of the file (see `examples` of the other datasets), with its further columns."""
    own = {"id": pa.string(), "split": pa.string(), "label": label, "content": pa.binary()}
    return pa.schema({**own, **{name: TYPES[kind] for name, kind in columns.items()}})


def of(facts: Mapping[str, Any] | None) -> Any:
    """The dataset that `data.own` describes, with the attributes of a dataset's module; raises
    `ParamsError` if the section is missing.

    Its entries for the kind and the task become attributes in capitals.
    """
    if facts is None:
        raise ParamsError(
            "params.yaml: data.own is null; `duli new NAME --from YOUR_DATA` makes a line that"
            " has it"
        )
    said = {
        name.upper(): tuple(value) if isinstance(value, list) else value
        for name, value in facts.items()
        if value is not None
    }
    columns = {name: TYPES[kind] for name, kind in facts["columns"].items()}
    return SimpleNamespace(
        **{
            **said,
            "FILES": {FILE: (facts["bytes"], facts["sha256"])},
            "COLUMNS": pa.schema(columns),
            "sources": _sources,
            "examples": partial(_examples, facts["columns"]),
        }
    )


def _sources(local: Path | None) -> tuple[Source, ...]:
    return (Folder(local),) if local else ()


def _examples(columns: Mapping[str, str], folder: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """Batches of at most `rows`, each of one published split; raises `DataError` if the file is not
    one that `duli new` wrote.
    """
    try:
        with pq.ParquetFile(folder / FILE) as file:
            there = file.schema_arrow
            label = there.field("label").type if "label" in there.names else pa.null()
            if not there.equals(held := schema(columns, label)):
                raise DataError(
                    f"{folder / FILE} has other columns than {', '.join(held.names)}; make it again"
                    " with `duli new`"
                )
            for batch in file.iter_batches(rows):
                # Readers apply the first row's split to the whole batch.
                for split in batch["split"].unique().to_pylist():
                    yield batch.filter(pc.equal(batch["split"], split))
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{folder / FILE} cannot be read ({str(error).splitlines()[0]}); make it again with"
            " `duli new`"
        ) from None
