"""Decides for each published example where it goes: a split, or quarantine with the reason.

Two passes over the data keep memory small: `judge` sees every example once and remembers its
digests and, of a picture, its outline; `sort_out` sees them again and yields finished rows.
"""

import hashlib
import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.base.kinds import Kind
from duli.base.tasks import Targets
from duli.preparation.cleaning import twins

KEEP = 0  # in the split that its own content says
REASONS = {
    1: "unreadable",
    2: "unknown label",
    3: "conflicting labels",
    4: "duplicate",
    5: "near duplicate",
}
_UNREADABLE, _UNKNOWN_LABEL, _CONFLICT, _DUPLICATE, _NEAR = REASONS
SPLITS = ("train", "validation", "test")
FEWEST = 3  # examples of a class, so that each split can have one
NEGLIGIBLE = 0.1  # examples that a split would have of a class; below, it need not have one
_TRAIN, _VALIDATION, _TEST = range(3)  # indices into SPLITS
# plus a place in SPLITS: there for its class's sake, or with a near duplicate
_MOVED, _TWIN = 10, 20

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
    {
        "id": pa.string(),
        "split": pa.string(),
        "label": pa.int16(),
        "content": pa.binary(),
        "sha256": pa.string(),
        "reason": pa.string(),
    }
)

NOTHING = pa.schema([])

NAME = r"[a-z][a-z0-9_]*"  # of a column that a data set adds
RESERVED = {*EXAMPLE.names, *QUARANTINED.names, "bytes"}  # validate counts those of the content


@dataclass(frozen=True)
class Rules:
    """The rules for an example: `targets` for its label, `kind` for its content."""

    targets: Targets
    kind: Kind
    validation_share: float
    test_share: float = 0.0  # of examples that were published in no split
    columns: pa.Schema = NOTHING  # what else the data set says of each example, carried along
    complete: bool = False  # validate on some of each class, also of those published for training

    @property
    def example(self) -> pa.Schema:
        """The schema of the rows of a split."""
        return pa.schema([*_labelled(EXAMPLE, self.targets), *self.kind.statistics, *self.columns])

    @property
    def quarantined(self) -> pa.Schema:
        """The schema of quarantined rows, where anything may be missing."""
        return pa.schema(
            [
                *_labelled(QUARANTINED, self.targets),
                *(field.with_nullable(nullable=True) for field in self.columns),
            ]
        )

    def gaps(self, there: Collection[str], n: int) -> dict[str, pa.Array]:
        """Declared columns that may have gaps and that a window of `n` examples, which has those
        `there`, does not tell.
        """
        return {
            field.name: pa.nulls(n, field.type)
            for field in self.columns
            if field.nullable and field.name not in there
        }


def check_columns(columns: pa.Schema, sensitive: tuple[str, ...], kind: Kind) -> None:
    """Checks what a data set declares as its own columns, and as sensitive ones; raises `DataError`
    with the fix.
    """
    for name in columns.names:
        if not re.fullmatch(NAME, name):
            raise DataError(
                f"COLUMNS has '{name}'; measures are called after it, so take lower-case letters,"
                " digits and underscores"
            )
        if name in RESERVED or name in kind.statistics.names or columns.names.count(name) > 1:
            raise DataError(f"COLUMNS has '{name}', which there is already; take another name")
    for name in sensitive:
        if name not in columns.names or sensitive.count(name) > 1:
            known = ", ".join(columns.names) or "there are none"
            raise DataError(
                f"SENSITIVE has '{name}'; it takes names of COLUMNS ({known}), each once, in a"
                " tuple"
            )


def judge(batches: Iterable[pa.RecordBatch], rules: Rules) -> NDArray[np.uint8]:
    """The verdict for each example, in reading order: a key of `REASONS`, or where it goes (see
    `kept`).

    Of equal contents one stays: the first of the published test split if it is there, else the
    first. Where contents that a model cannot tell apart have different labels none stays, for
    nobody knows which label is right.

    Near duplicates are contents of one class that are the same to a model, or nearly. Those that
    were published in no split go to train together, unless their class would be left without
    examples to judge by. Others stay in the published test split, or follow the first of them
    into train; one whose first is tested or validated on does not stay.
    """
    digests, forms, outlines, labels, published, verdicts = [], [], [], [], [], []
    for batch in batches:
        contents, column = batch["content"].to_pylist(), _labels(batch, rules)
        readable, known = rules.kind.readable(contents), rules.targets.known(column)
        verdicts.append(
            np.where(readable, np.where(known, KEEP, _UNKNOWN_LABEL), _UNREADABLE).astype(np.uint8)
        )
        seen = iter(
            rules.kind.seen(
                [content for content, good in zip(contents, readable, strict=True) if good]
            )
        )
        digests.append(_digests(contents))
        forms.append(_digests([next(seen) if good else None for good in readable]))
        outlines.append(
            rules.kind.outlines(
                [content for content, good in zip(contents, readable, strict=True) if good]
            )
        )
        labels.append(column)
        published.append(batch["split"])
    if not verdicts:
        return np.empty(0, np.uint8)
    verdict, label, digest = (
        np.concatenate(verdicts),
        np.concatenate(labels),
        np.concatenate(digests),
    )
    form = _numbered(np.concatenate(forms))
    in_test, in_none = (
        pc.equal(pa.chunked_array(published), split).to_numpy() for split in ("test", "")
    )
    readable = verdict != _UNREADABLE
    _resolve(verdict, _numbered(digest), form, label, in_test)
    group = rules.targets.groups(label)
    rows = np.flatnonzero(verdict == KEEP)
    if len(rows):
        examples = _Examples(
            twins.groups(
                form[rows], np.concatenate(outlines)[verdict[readable] == KEEP], group[rows]
            ),
            digest[rows],
            group[rows],
            in_test[rows],
            in_none[rows],
        )
        verdict[rows] = _placed(examples, rules)
    return verdict


def sort_out(
    batches: Iterable[pa.RecordBatch], verdict: NDArray[np.uint8], rules: Rules
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yields (split or "quarantine", rows) for the same `batches` that `verdict` was made from."""
    start = 0
    for batch in batches:
        verdicts = verdict[start : start + batch.num_rows]
        start += batch.num_rows
        refused = ~kept(verdicts)
        if refused.any():
            yield (
                "quarantine",
                _quarantined(batch.filter(pa.array(refused)), verdicts[refused], rules),
            )
        if not refused.all():
            yield from _by_split(
                _finished(batch.filter(pa.array(~refused)), verdicts[~refused], rules)
            )


def kept(verdict: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which examples go to a split, by the verdicts of `judge`."""
    return np.isin(verdict, [*REASONS], invert=True)


def near_duplicates(verdict: NDArray[np.uint8]) -> dict[str, int]:
    """The number of kept examples with a near duplicate in their split, by split."""
    counts = np.bincount(verdict, minlength=_TWIN + len(SPLITS))[_TWIN:]
    return {split: int(count) for split, count in zip(SPLITS, counts, strict=True) if count}


def _digests(contents: Iterable[bytes | None]) -> NDArray[np.uint64]:
    """SHA-256 of each content, as four numbers in the order of its bytes, [n, 4]."""
    whole = b"".join(hashlib.sha256(content or b"").digest() for content in contents)
    return np.frombuffer(whole, ">u8").reshape(-1, 4).astype(np.uint64)


def _numbered(digests: NDArray[np.uint64]) -> NDArray[np.int32]:
    """One number for each distinct digest, [n]."""
    halves = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(digests), [None, pa.py_buffer(digests[:, :2].tobytes())]
    )
    numbers: NDArray[np.int32] = halves.dictionary_encode().indices.to_numpy()
    return numbers


def _resolve(
    verdict: NDArray[np.uint8],
    content: NDArray[np.int32],
    form: NDArray[np.int32],
    labels: NDArray[Any],
    in_test: NDArray[np.bool_],
) -> None:
    """Marks conflicts (of one `form`) and duplicates (of one `content`) in `verdict`.

    Refused examples take no part.
    """
    rows = np.flatnonzero(verdict == KEEP)
    distinct = int(form.max()) + 1
    lowest, highest = np.full(distinct, np.inf), np.full(distinct, -np.inf)
    np.minimum.at(lowest, form[rows], labels[rows])
    np.maximum.at(highest, form[rows], labels[rows])
    verdict[rows[lowest[form[rows]] != highest[form[rows]]]] = _CONFLICT

    rows = np.flatnonzero(verdict == KEEP)
    preferred = rows[np.argsort(~in_test[rows], kind="stable")]  # test first, then reading order
    _, first = np.unique(content[preferred], return_index=True)
    again = np.ones(len(preferred), bool)
    again[first] = False
    verdict[preferred[again]] = _DUPLICATE


class _Examples(NamedTuple):
    """Examples that may stay, in reading order: the facts that decide where they go."""

    groups: NDArray[np.integer[Any]]  # the same number for near duplicates
    digests: NDArray[np.uint64]  # [n, 4]
    strata: NDArray[np.integer[Any]]  # each gets its share of every split
    in_test: NDArray[np.bool_]  # published there
    in_none: NDArray[np.bool_]  # published in no split


def _placed(of: _Examples, rules: Rules) -> NDArray[np.uint8]:
    """The verdict for each example that may stay, [n]."""
    rows, group = np.arange(len(of.strata)), np.unique(of.groups, return_inverse=True)[1]
    alone = np.where(of.in_none & _below(of.digests[:, 0], rules.test_share), _TEST, _TRAIN)
    alone[(alone == _TRAIN) & _below(of.digests[:, -1], rules.validation_share)] = _VALIDATION
    alone[of.in_test] = _TEST
    place = alone.copy()

    free = of.in_none & ~_any(of.in_test, group)[group]
    twins_of = np.bincount(group[free], minlength=len(rows))[group]
    _, at = np.unique(group[free], return_index=True)
    firsts = rows[free][at]
    for units in _by_stratum(firsts, of.strata):
        if len(units) >= FEWEST:
            place[units] = _drawn(of.digests[units], twins_of[units] > 1, rules)
        else:
            place[units[twins_of[units] > 1]] = _TRAIN
    if rules.complete:
        _complete(place, of, np.bincount(group)[group] == 1, rules)

    # Whom the others of a group follow: one that is tested on, else one published in no split,
    # else the first.
    order = np.lexsort((rows, ~free, ~of.in_test))
    leader = order[np.unique(group[order], return_index=True)[1]][group]
    with_leader = place[leader]
    place = np.where(of.in_test, place, with_leader)
    refused = ~of.in_test & ~free & (rows != leader) & (with_leader != _TRAIN)
    together = np.bincount(group[~refused], minlength=len(rows))[group] > 1
    verdict = np.where(together, _TWIN + place, np.where(place == alone, KEEP, _MOVED + place))
    return np.where(refused, _NEAR, verdict).astype(np.uint8)


def _below(keys: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    """Which of the numbers, drawn evenly from 64 bits, are among the lowest `share`."""
    below: NDArray[np.bool_] = keys < np.uint64(math.ceil(share * 2**64))
    return below


def _any(marked: NDArray[np.bool_], group: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which groups have a marked example, [groups]."""
    return np.bincount(group, weights=marked) > 0


def _by_stratum(
    rows: NDArray[np.int64], strata: NDArray[np.integer[Any]]
) -> list[NDArray[np.int64]]:
    """The rows of each stratum."""
    order = rows[np.argsort(strata[rows], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(strata[order])) + 1)


def _drawn(digests: NDArray[np.uint64], twin: NDArray[np.bool_], rules: Rules) -> NDArray[np.int64]:
    """The splits of examples [n] of one class, a `twin` for all of its near duplicates.

    Each goes where its hash says, twins to train. Where that leaves a split less than half of its
    share, or nothing, those follow whose hashes are the lowest, twins last.
    """
    place = np.full(len(twin), _TRAIN)
    for split, keys, share, rest in (
        (_TEST, digests[:, 0], rules.test_share, 2),
        (_VALIDATION, digests[:, -1], rules.validation_share, 1),
    ):
        left = np.flatnonzero(place == _TRAIN)
        own = int((_below(keys[left], share) & ~twin[left]).sum())
        expected = len(left) * share
        least = max(1, round(expected / 2)) if expected > NEGLIGIBLE else 0
        order = left[np.lexsort((keys[left], twin[left]))]
        place[order[: min(max(own, least), len(left) - rest)]] = split
    return place


def _complete(
    place: NDArray[np.int64], of: _Examples, alone: NDArray[np.bool_], rules: Rules
) -> None:
    """Moves examples published for training to validation where a class has none there.

    Near duplicates stay.
    """
    validated = np.bincount(
        of.strata[place == _VALIDATION], minlength=rules.targets.groups_there_are
    )
    published = ~of.in_test & ~of.in_none & alone & (place == _TRAIN) & (validated[of.strata] == 0)
    only_validation = replace(rules, test_share=0.0)
    for rows in _by_stratum(np.flatnonzero(published), of.strata):
        if len(rows) >= FEWEST:
            place[rows] = _drawn(of.digests[rows], np.zeros(len(rows), bool), only_validation)


def _finished(batch: pa.RecordBatch, verdicts: NDArray[np.uint8], rules: Rules) -> pa.RecordBatch:
    contents = batch["content"].to_pylist()
    digests = [hashlib.sha256(content).digest() for content in contents]
    columns = {
        "id": batch["id"],
        "split": [
            _split(split, digest, rules) if verdict == KEEP else SPLITS[verdict % 10]
            for split, digest, verdict in zip(
                batch["split"].to_pylist(), digests, verdicts, strict=True
            )
        ],
        "label": batch["label"],
        "content": contents,
        "sha256": [digest.hex() for digest in digests],
        **rules.kind.describe(contents),
    }
    return _rows(columns, batch, rules.example)


def _split(published: str, digest: bytes, rules: Rules) -> str:
    """The split of an example by its own content alone, so that adding data never moves it."""
    if published == "test" or (
        published == "" and int.from_bytes(digest[:8]) < rules.test_share * 2**64
    ):
        return "test"
    return "validation" if int.from_bytes(digest[-8:]) < rules.validation_share * 2**64 else "train"


def _by_split(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    for split in ("train", "validation", "test"):
        rows = batch.filter(pc.equal(batch["split"], split))
        if rows.num_rows:
            yield split, rows


def _quarantined(
    batch: pa.RecordBatch, verdicts: NDArray[np.uint8], rules: Rules
) -> pa.RecordBatch:
    contents = batch["content"].to_pylist()
    columns = {
        "id": batch["id"],
        "split": batch["split"],
        "label": batch["label"],
        "content": contents,
        "sha256": [
            None if content is None else hashlib.sha256(content).hexdigest() for content in contents
        ],
        "reason": [REASONS[int(verdict)] for verdict in verdicts],
    }
    return _rows(columns, batch, rules.quarantined)


def _rows(columns: dict[str, Any], batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of `columns`, and of what else the schema asks for, as the data set gave it in
    `batch`.
    """
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else _added(batch, field)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _added(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    """A declared column of the batch; raises `DataError` if it is missing, of another type, or
    has gaps it may not have.
    """
    if field.name not in batch.schema.names:
        raise DataError(
            f"the data set declares the column '{field.name}' and its examples have none; yield it,"
            " or take it out of COLUMNS"
        )
    try:
        column = batch[field.name].cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"the column '{field.name}' is no {field.type} ({str(error).splitlines()[0]}); mend it,"
            " or its type in COLUMNS"
        ) from None
    if column.null_count and not field.nullable:
        raise DataError(
            f"the column '{field.name}' has gaps; fill them, or declare it with nullable=True"
        )
    return column


def _labels(batch: pa.RecordBatch, rules: Rules) -> NDArray[Any]:
    missing = pa.scalar(rules.targets.missing, rules.targets.type)
    labels: NDArray[Any] = pc.fill_null(batch["label"], missing).to_numpy()
    return labels


def _labelled(schema: pa.Schema, targets: Targets) -> pa.Schema:
    """`schema` with the column `label` of the task's type."""
    place = schema.get_field_index("label")
    return schema.set(place, schema.field(place).with_type(targets.type))
