"""Turns own data into the examples of a release line."""

from pathlib import Path
from types import ModuleType

import pyarrow as pa

from duli.base import rooms
from duli.base.errors import DataError
from duli.datasets import own
from duli.intake.found import Found, Read, Wanted
from duli.intake.sheet import Known
from duli.intake.source import Source
from duli.preparation.cleaning import clean


def converted(place: Path, wanted: Wanted, task: str) -> Found:
    """The examples in `place`, a file or a folder that a kind takes, with labels for `task`.

    Raises `DataError`, with what to do, if no kind takes it, if there are fewer examples than a
    model can learn from, or if one cannot be read.
    """
    labels = rooms.task(task, "intake.labels")
    source = Source(place, wanted, labels)
    kind, reader = _taker(source)
    if more := [name for name in wanted.given if name not in reader.USES]:
        raise DataError(
            f"{place} is read as {reader.TAKES}, of which --{more[0]} says nothing; leave it out"
        )
    read: Read = reader.read(source)
    statistics = rooms.kind(kind, "reading.examples").Kind.statistics.names
    reserved = {*clean.RESERVED, *statistics, *labels.RESERVED}
    known = source.sheet.known(read.columns, reserved, labels.MANY) if source.sheet else Known()
    examples = _examples(read, known, labels.TYPE)
    notes = [*read.notes, *known.notes]
    return Found(
        kind,
        {**read.labels.own, **read.own},
        known.types,
        [name for name, column in known.columns.items() if column in wanted.sensitive],
        examples,
        [*notes, *labels.check(examples, read.labels, notes, place)],
    )


def _taker(source: Source) -> tuple[str, ModuleType]:
    """The kind that takes the source, and its reader."""
    readers = {name: rooms.kind(name, "intake.own") for name in rooms.names("kinds")}
    for name, reader in readers.items():
        if reader.takes(source):
            return name, reader
    known = "; ".join(reader.TAKES for reader in readers.values())
    raise DataError(f"{source.place} is nothing that can be read; give one of these: {known}")


def _examples(read: Read, known: Known, label: pa.DataType) -> pa.Table:
    fields = own.schema(known.types, label)
    columns = (read.ids, read.splits, read.labels.values, read.contents)
    arrays = [pa.array(one, field.type) for one, field in zip(columns, fields, strict=False)]
    return pa.table([*arrays, *known.values], schema=fields)
