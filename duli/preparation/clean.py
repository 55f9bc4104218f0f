"""Decides for each published example where it goes: a split, or quarantine with the reason.

Two passes over the data keep memory small: `judge` sees every example once and remembers 16 bytes of digest for each,
`sort_out` sees them again and yields finished rows.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from duli.errors import DataError
from duli.preparation.kinds import Kind

KEEP = 0
REASONS = {1: "unreadable", 2: "unknown label", 3: "conflicting labels", 4: "duplicate"}
_UNREADABLE, _UNKNOWN_LABEL, _CONFLICT, _DUPLICATE = REASONS

EXAMPLE = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.int16(), nullable=False),
        pa.field("content", pa.binary(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)
QUARANTINED = pa.schema(
    {"id": pa.string(), "split": pa.string(), "label": pa.int16(), "content": pa.binary(), "sha256": pa.string(), "reason": pa.string()}
)

NOTHING = pa.schema([])

NAME = r"[a-z][a-z0-9_]*"  # of a column that a data set adds
RESERVED = {*EXAMPLE.names, *QUARANTINED.names, "bytes"}  # validate counts those of the content


@dataclass(frozen=True)
class Rules:
    """What an example has to be: `classes` is their number, `kind` what their contents are."""

    classes: int
    kind: Kind
    validation_share: float
    test_share: float = 0.0  # of examples that were published in no split
    columns: pa.Schema = NOTHING  # what else the data set says of each example, carried along

    @property
    def example(self) -> pa.Schema:
        """Of the rows of a split."""
        return pa.schema([*EXAMPLE, *self.kind.statistics, *self.columns])

    @property
    def quarantined(self) -> pa.Schema:
        """Of the rows in quarantine, where anything may be missing."""
        return pa.schema([*QUARANTINED, *(field.with_nullable(nullable=True) for field in self.columns)])

    def gaps(self, there: Collection[str], n: int) -> dict[str, pa.Array]:
        """Declared columns that may have gaps and that a window of `n` examples, which has those `there`, does not tell."""
        return {field.name: pa.nulls(n, field.type) for field in self.columns if field.nullable and field.name not in there}


def check_columns(columns: pa.Schema, sensitive: tuple[str, ...], kind: Kind) -> None:
    """Checks what a data set declares as its own columns, and as sensitive ones; raises `DataError` with the fix."""
    for name in columns.names:
        if not re.fullmatch(NAME, name):
            raise DataError(f"COLUMNS has '{name}'; measures are called after it, so take lower-case letters, digits and underscores")
        if name in RESERVED or name in kind.statistics.names or columns.names.count(name) > 1:
            raise DataError(f"COLUMNS has '{name}', which there is already; take another name")
    for name in sensitive:
        if name not in columns.names or sensitive.count(name) > 1:
            known = ", ".join(columns.names) or "there are none"
            raise DataError(f"SENSITIVE has '{name}'; it takes names of COLUMNS ({known}), each once, in a tuple")


def judge(batches: Iterable[pa.RecordBatch], rules: Rules) -> NDArray[np.uint8]:
    """The verdict for each example, in reading order: `KEEP` or a key of `REASONS`.

    Of equal contents one stays: the first of the published test split if it is there, else the first. Where equal
    contents have different labels none stays, for nobody knows which label is right.
    """
    digests, labels, in_test, verdicts = [], [], [], []
    for batch in batches:
        column = _labels(batch)
        readable, known = rules.kind.readable(batch["content"].to_pylist()), (column >= 0) & (column < rules.classes)
        verdicts.append(np.where(readable, np.where(known, KEEP, _UNKNOWN_LABEL), _UNREADABLE).astype(np.uint8))
        digests.append(pa.array([hashlib.sha256(c.as_py() or b"").digest()[:16] for c in batch["content"]], pa.binary(16)))
        labels.append(column)
        in_test.append(pc.equal(batch["split"], "test").to_numpy(zero_copy_only=False))
    if not verdicts:
        return np.empty(0, np.uint8)
    verdict = np.concatenate(verdicts)
    content = pa.chunked_array(digests).combine_chunks().dictionary_encode().indices.to_numpy()  # one number per distinct content
    _resolve(verdict, content, np.concatenate(labels), np.concatenate(in_test))
    return verdict


def sort_out(batches: Iterable[pa.RecordBatch], verdict: NDArray[np.uint8], rules: Rules) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yields (split or "quarantine", rows) for the same `batches` that `verdict` was made from."""
    start = 0
    for batch in batches:
        verdicts = verdict[start : start + batch.num_rows]
        start += batch.num_rows
        refused = verdicts != KEEP
        if refused.any():
            yield "quarantine", _quarantined(batch.filter(pa.array(refused)), verdicts[refused], rules)
        if not refused.all():
            yield from _by_split(_finished(batch.filter(pa.array(~refused)), rules))


def _resolve(verdict: NDArray[np.uint8], content: NDArray[np.int32], labels: NDArray[np.int16], in_test: NDArray[np.bool_]) -> None:
    """Marks conflicts and duplicates in `verdict`; refused examples take no part."""
    rows = np.flatnonzero(verdict == KEEP)
    distinct = int(content.max()) + 1
    lowest, highest = np.full(distinct, np.iinfo(np.int16).max), np.full(distinct, np.iinfo(np.int16).min)
    np.minimum.at(lowest, content[rows], labels[rows])
    np.maximum.at(highest, content[rows], labels[rows])
    verdict[rows[lowest[content[rows]] != highest[content[rows]]]] = _CONFLICT

    rows = np.flatnonzero(verdict == KEEP)
    preferred = rows[np.argsort(~in_test[rows], kind="stable")]  # test first, then reading order
    _, first = np.unique(content[preferred], return_index=True)
    again = np.ones(len(preferred), bool)
    again[first] = False
    verdict[preferred[again]] = _DUPLICATE


def _finished(batch: pa.RecordBatch, rules: Rules) -> pa.RecordBatch:
    contents = batch["content"].to_pylist()
    digests = [hashlib.sha256(content).digest() for content in contents]
    columns = {
        "id": batch["id"],
        "split": [_split(split, digest, rules) for split, digest in zip(batch["split"].to_pylist(), digests, strict=True)],
        "label": batch["label"],
        "content": contents,
        "sha256": [digest.hex() for digest in digests],
        **rules.kind.describe(contents),
    }
    return _rows(columns, batch, rules.example)


def _split(published: str, digest: bytes, rules: Rules) -> str:
    """The split of an example; adding data never moves one, for only its own content decides."""
    if published == "test" or (published == "" and int.from_bytes(digest[:8]) < rules.test_share * 2**64):
        return "test"
    return "validation" if int.from_bytes(digest[-8:]) < rules.validation_share * 2**64 else "train"


def _by_split(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    for split in ("train", "validation", "test"):
        rows = batch.filter(pc.equal(batch["split"], split))
        if rows.num_rows:
            yield split, rows


def _quarantined(batch: pa.RecordBatch, verdicts: NDArray[np.uint8], rules: Rules) -> pa.RecordBatch:
    contents = batch["content"].to_pylist()
    columns = {
        "id": batch["id"],
        "split": batch["split"],
        "label": batch["label"],
        "content": contents,
        "sha256": [None if content is None else hashlib.sha256(content).hexdigest() for content in contents],
        "reason": [REASONS[int(verdict)] for verdict in verdicts],
    }
    return _rows(columns, batch, rules.quarantined)


def _rows(columns: dict[str, Any], batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of `columns`, and of what else the schema asks for, as the data set gave it in `batch`."""
    arrays = [pa.array(columns[field.name], field.type) if field.name in columns else _added(batch, field) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _added(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    """A declared column of the batch; raises `DataError` where it is missing, of another type, or has gaps it may not have."""
    if field.name not in batch.schema.names:
        raise DataError(f"the data set declares the column '{field.name}' and its examples have none; yield it, or take it out of COLUMNS")
    try:
        column = batch[field.name].cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"the column '{field.name}' is no {field.type} ({str(error).splitlines()[0]}); mend it, or its type in COLUMNS"
        ) from None
    if column.null_count and not field.nullable:
        raise DataError(f"the column '{field.name}' has gaps; fill them, or declare it with nullable=True")
    return column


def _labels(batch: pa.RecordBatch) -> NDArray[np.int16]:
    labels: NDArray[np.int16] = pc.fill_null(batch["label"], pa.scalar(-1, pa.int16())).to_numpy()
    return labels
