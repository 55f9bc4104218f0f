"""Data that arrived after the data set was published: each window is validated, then waits, is
accepted as training data, or is quarantined.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from duli.base import files
from duli.base.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from duli.preparation.cleaning.clean import Rules
    from duli.validation.suite import Outcome

INCOMING, ACCEPTED, QUARANTINED = (
    Path("data/incoming"),
    Path("data/accepted"),
    Path("data/quarantined"),
)
RAW, PREPARED = Path("data/raw"), Path("data/prepared")
BATCH = 4096  # examples in memory at a time, besides the table that is kept
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Window:
    """One validated file of data/incoming."""

    path: Path
    labelled: bool  # it has the column `label`
    # valid examples that the line does not have yet, as `prepare` finishes them
    kept: "pa.Table | None"
    refused: "pa.Table | None"  # the others, each with its reason
    objection: str  # to the whole file; none: it may be used

    @property
    def examples(self) -> int:
        """Valid ones."""
        return self.kept.num_rows if self.kept is not None and not self.objection else 0


def look() -> list[Window]:
    """Validates every window in data/incoming against the prepared examples; in the order of their
    names.
    """
    paths = sorted(INCOMING.glob("*.parquet"))
    if not paths or not (PREPARED / "stats.json").exists():
        return []  # before there are prepared examples nothing can be told from them
    from duli.base import kinds, rooms
    from duli.base.params import Params
    from duli.datasets.shared.dataset import dataset
    from duli.preparation.cleaning import clean
    from duli.validation.params import Validate

    params = Params("params.yaml")
    bounds = params.section("validate", Validate)
    stats, fetched = files.read_json(PREPARED / "stats.json"), files.read_json(RAW / "dataset.json")
    columns = getattr(dataset(stats["dataset"], fetched["own"]), "COLUMNS", clean.NOTHING)
    kind = kinds.prepared(files.read_json(PREPARED / "preprocessing.json"))
    targets = rooms.task(params.values["task"], "targets.targets").Targets.prepared(stats)
    # No share: which split an example goes to, `prepare` says when it sees it among all others.
    rules = clean.Rules(targets, kind, 0.0, columns=columns)
    known = _known()

    def judge(kept: "pa.Table", refused: int) -> "list[Outcome]":
        from duli.validation import suite

        expected = suite.Expected(
            targets, kind.expected(), (*kind.statistics.names, *columns.names)
        )
        frame = kept.drop_columns(["content"]).append_column("bytes", [_lengths(kept)]).to_pandas()
        return suite.window(frame, refused, expected, bounds)

    return [_look(path, rules, known, judge) for path in paths]


def accept(
    windows: Sequence[Window], track: Callable[[Path], None], forget: Callable[[Path], None]
) -> None:
    """Moves labelled valid windows to data/accepted and refused ones to data/quarantined; the other
    windows wait where they are.

    `track` lets DVC keep a file that is new, `forget` removes one of data/incoming. A crash at any
    place leaves what the next call completes: a file goes from data/incoming last.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from duli.base import rooms

    # What `prepare` works out for itself.
    finished = {"split", "sha256"}
    if windows:
        kind = files.read_json(PREPARED / "stats.json")["kind"]
        finished |= {*rooms.kind(kind, "reading.examples").Kind.statistics.names}

    def write(folder: Path, name: str, table: "pa.Table") -> None:
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        content = buffer.getvalue().to_pybytes()
        path = _place(folder, name, content)
        files.write_bytes(path, content)
        track(path)

    for window in windows:
        name = window.path.name
        if window.objection:
            _quarantine(window, track, forget)
        elif window.labelled and window.kept is not None:
            if window.refused is not None and window.refused.num_rows:
                write(QUARANTINED, name, window.refused)
            keep = [name for name in window.kept.schema.names if name not in finished]
            write(ACCEPTED, name, window.kept.select(keep))
            forget(window.path)


def _quarantine(
    window: Window, track: Callable[[Path], None], forget: Callable[[Path], None]
) -> None:
    """Moves a window that may not be used to data/quarantined, byte for byte, with the reason
    beside it.
    """
    content = window.path.read_bytes()
    path = _place(QUARANTINED, window.path.name, content)
    files.write_bytes(path, content)
    files.write_json(
        path.with_suffix(".json"), {"window": window.path.name, "reason": window.objection}
    )
    track(path)
    forget(window.path)


def _place(folder: Path, name: str, content: bytes) -> Path:
    """The path for a window of this name in the folder: beside an earlier one of the same name,
    never over it.
    """
    path = folder / name
    if path.exists() and path.read_bytes() != content:
        return path.with_stem(f"{path.stem}-{files.sha256(content)[:12]}")
    return path


def _look(
    path: Path,
    rules: "Rules",
    known: dict[str, tuple[str, int]],
    judge: "Callable[[pa.Table, int], list[Outcome]]",
) -> Window:
    import pyarrow as pa
    import pyarrow.compute as pc

    from duli.preparation.cleaning import clean

    kept: list[pa.RecordBatch] = []
    refused: list[pa.RecordBatch] = []
    try:
        labelled = _labelled(path)
        verdict = clean.judge(_read(path, rules), rules)
        for target, rows in clean.sort_out(_read(path, rules), verdict, rules):
            if target == "quarantine":
                refused.append(rows)
                continue
            pairs = zip(rows["sha256"].to_pylist(), rows["label"].to_pylist(), strict=True)
            again = [_again(sha256, label, known) if labelled else "" for sha256, label in pairs]
            new = pa.array([not reason for reason in again])
            kept.append(rows.filter(new))
            bad = rows.append_column("reason", pa.array(again)).filter(pc.invert(new))
            refused.append(bad.select(rules.quarantined.names).cast(rules.quarantined))
    except DataError as error:
        return Window(path, labelled=False, kept=None, refused=None, objection=str(error))
    good, others = (
        pa.Table.from_batches(kept, rules.example),
        pa.Table.from_batches(refused, rules.quarantined),
    )
    return Window(path, labelled, good, others, _objection(good, others, judge))


def _labelled(path: Path) -> bool:
    """Whether the window has labels; raises `DataError` if its columns are not those of
    a window.
    """
    from duli.preparation.prepared.parquet import opened

    with opened(path) as file:
        names = file.schema_arrow.names
        if "content" not in names:
            raise DataError(f"it has no column 'content' (there are: {', '.join(names)})")
        if not file.metadata.num_rows:
            raise DataError("it is empty")
    return "label" in names


def _read(path: Path, rules: "Rules") -> "Iterator[pa.RecordBatch]":
    """The examples of a window in batches; raises `DataError` if its columns are not those of a
    window.
    """
    import pyarrow as pa

    from duli.preparation.prepared.parquet import opened

    # Of the content as well: another file of this name may have been accepted before, and ids are
    # unique.
    name = f"{path.stem}-{files.sha256(path)[:8]}"
    index = 0
    with opened(path) as file:
        there = [
            column
            for column in ("content", "label", *rules.columns.names)
            if column in file.schema_arrow.names
        ]
        for batch in file.iter_batches(batch_size=BATCH, columns=there):
            n = batch.num_rows
            try:
                content = batch["content"].cast(pa.binary())
                label = (
                    batch["label"].cast(rules.targets.type)
                    if "label" in there
                    else pa.array([0] * n, rules.targets.type)
                )
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise DataError(
                    f"its columns have other types than bytes and {rules.targets.type} labels"
                    f" ({str(error).splitlines()[0]})"
                ) from None
            columns = {
                "id": pa.array([f"{name}-{row:05d}" for row in range(index, index + n)]),
                "split": pa.array(["train"] * n),
                "label": label,
                "content": content,
                **{column: batch[column] for column in there if column in rules.columns.names},
                **rules.gaps(there, n),
            }
            index += n
            yield pa.RecordBatch.from_pydict(columns)


def _again(sha256: str, label: int, known: dict[str, tuple[str, int]]) -> str:
    """The reason to refuse an example that the line already has: it may not be both trained on and
    tested, nor have two labels.
    """
    if sha256 not in known:
        return ""
    split, before = known[sha256]
    return f"in {split} already" if before == label else f"in {split} with another label"


def _objection(
    kept: "pa.Table", refused: "pa.Table", judge: "Callable[[pa.Table, int], list[Outcome]]"
) -> str:
    from duli.preparation.cleaning.summary import reasons

    counted = ", ".join(
        f"{count:,} {reason}"
        for reason, count in reasons(refused.select(["reason"]).to_batches()).items()
    )
    if not kept.num_rows:
        return f"nothing in it can be used ({counted})"
    failed = [outcome for outcome in judge(kept, refused.num_rows) if not outcome.success]
    said = "; ".join(
        f"{outcome.column} {outcome.name}: {outcome.observed}; expected {outcome.expected}"
        for outcome in failed
    )
    return f"{said}{f' ({counted})' if counted else ''}" if failed else ""


def _known() -> dict[str, tuple[str, int]]:
    """Content -> split and label, of the prepared examples."""
    from duli.preparation.prepared.parquet import opened

    found: dict[str, tuple[str, int]] = {}
    for split in SPLITS:
        with opened(PREPARED / f"{split}.parquet") as file:
            rows = file.read(columns=["sha256", "label"])
        found |= {
            sha: (split, label)
            for sha, label in zip(
                rows["sha256"].to_pylist(), rows["label"].to_pylist(), strict=True
            )
        }
    return found


def _lengths(rows: "pa.Table") -> "pa.Array":
    import pyarrow.compute as pc

    return pc.binary_length(rows["content"].combine_chunks())
