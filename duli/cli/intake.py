"""What came in since the data set was published: each window is validated, then waits, is accepted as training data, or quarantined."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli import files
from duli.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from duli.preparation.clean import Rules
    from duli.validation.suite import Outcome

INCOMING, ACCEPTED, QUARANTINED = Path("data/incoming"), Path("data/accepted"), Path("data/quarantined")
RAW, PREPARED = Path("data/raw"), Path("data/prepared")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Window:
    """One file of data/incoming, looked at."""

    path: Path
    labelled: bool  # it has the column `label`
    kept: "pa.Table | None"  # valid examples that the line does not have yet, as `prepare` finishes them
    refused: "pa.Table | None"  # the others, each with its reason
    objection: str  # to the whole file; none: it may be used

    @property
    def examples(self) -> int:
        """Valid ones."""
        return self.kept.num_rows if self.kept is not None and not self.objection else 0


def look() -> list[Window]:
    """Every window that lies in data/incoming, validated against the prepared examples that lie here; in the order of their names."""
    paths = sorted(INCOMING.glob("*.parquet"))
    if not paths or not (PREPARED / "stats.json").exists():
        return []  # before there are prepared examples nothing can be told from them
    from duli.datasets._dataset import dataset
    from duli.params import Params
    from duli.preparation import clean, kinds
    from duli.preparation.params import Prepare
    from duli.validation.params import Validate

    params = Params("params.yaml")
    bounds, share = params.section("validate", Validate), params.section("prepare", Prepare).validation_share
    stats, fetched = files.read_json(PREPARED / "stats.json"), files.read_json(RAW / "dataset.json")
    columns = getattr(dataset(stats["dataset"], fetched["own"]), "COLUMNS", clean.NOTHING)
    kind = kinds.prepared(files.read_json(PREPARED / "preprocessing.json"))
    rules = clean.Rules(len(stats["classes"]), kind, share, columns=columns)
    known = _known()

    def judge(kept: "pa.Table", refused: int) -> "list[Outcome]":
        from duli.validation import suite

        expected = suite.Expected(rules.classes, kind.expected(), (*kind.statistics.names, *columns.names))
        frame = kept.drop_columns(["content"]).append_column("bytes", [_lengths(kept)]).to_pandas()
        return suite.window(frame, refused, expected, bounds)

    return [_look(path, rules, known, judge) for path in paths]


def accept(windows: Sequence[Window], track: Callable[[Path], None], forget: Callable[[Path], None]) -> None:
    """Moves the labelled valid windows to data/accepted, and what was refused to data/quarantined; the other windows wait where they are.

    `track` lets DVC keep a file that is new, `forget` removes one of data/incoming. A crash at any place leaves what the next call
    completes: a file goes from data/incoming last.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from duli.preparation.kinds import KINDS

    # What `prepare` works out for itself.
    finished = {"split", "sha256", *(name for kind in KINDS.values() for name in kind.statistics.names)}

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


def _quarantine(window: Window, track: Callable[[Path], None], forget: Callable[[Path], None]) -> None:
    """Moves a window that may not be used to data/quarantined, byte for byte, with the reason beside it."""
    content = window.path.read_bytes()
    path = _place(QUARANTINED, window.path.name, content)
    files.write_bytes(path, content)
    files.write_json(path.with_suffix(".json"), {"window": window.path.name, "reason": window.objection})
    track(path)
    forget(window.path)


def _place(folder: Path, name: str, content: bytes) -> Path:
    """Where in the folder a window of this name goes: beside an earlier one that was called the same, and never over it."""
    path = folder / name
    if path.exists() and path.read_bytes() != content:
        return path.with_stem(f"{path.stem}-{files.sha256(content)[:12]}")
    return path


def _look(path: Path, rules: "Rules", known: dict[str, tuple[str, int]], judge: "Callable[[pa.Table, int], list[Outcome]]") -> Window:
    import pyarrow as pa

    from duli.preparation import clean

    try:
        batch, labelled = _read(path, rules)
        verdict = clean.judge([batch], rules)
        parts: dict[bool, list[pa.RecordBatch]] = {True: [], False: []}
        for target, rows in clean.sort_out([batch], verdict, rules):
            parts[target != "quarantine"].append(rows)
    except DataError as error:
        return Window(path, labelled=False, kept=None, refused=None, objection=str(error))
    finished = pa.Table.from_batches(parts[True], rules.example)
    refused = [pa.Table.from_batches(parts[False], rules.quarantined)]
    again = [_again(row, known) if labelled else "" for row in finished.select(["sha256", "label"]).to_pylist()]
    if any(again):
        rows = finished.append_column("reason", pa.array(again)).filter(pa.array([bool(reason) for reason in again]))
        refused.append(rows.select(rules.quarantined.names).cast(rules.quarantined))
        finished = finished.filter(pa.array([not reason for reason in again]))
    bad = pa.concat_tables(refused)
    return Window(path, labelled, finished, bad, _objection(finished, bad, judge))


def _read(path: Path, rules: "Rules") -> "tuple[pa.RecordBatch, bool]":
    """The window as published examples come, and whether it has labels; raises `DataError` where it has not the form of one."""
    import pyarrow as pa

    from duli.preparation.parquet import opened

    with opened(path) as file:
        names = file.schema_arrow.names
        if "content" not in names:
            raise DataError(f"it has no column 'content' (there are: {', '.join(names)})")
        table = file.read(columns=[name for name in ("content", "label", *rules.columns.names) if name in names])
    labelled, n = "label" in names, table.num_rows
    try:
        content = table["content"].cast(pa.binary())
        label = table["label"].cast(pa.int16()) if labelled else pa.array([0] * n, pa.int16())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"its columns have other types than bytes and a class's index ({str(error).splitlines()[0]})") from None
    if not n:
        raise DataError("it is empty")
    # Of the content as well: another file of this name may have been accepted before, and ids are unique.
    name = f"{path.stem}-{files.sha256(path)[:8]}"
    columns = {
        "id": pa.array([f"{name}-{index:05d}" for index in range(n)]),
        "split": pa.array(["train"] * n),
        "label": label,
        "content": content,
        **{name: table[name] for name in table.schema.names if name in rules.columns.names},
    }
    (batch,) = pa.table(columns).combine_chunks().to_batches()
    return batch, labelled


def _again(row: dict[str, Any], known: dict[str, tuple[str, int]]) -> str:
    """Why an example that the line has already is refused: it may not be trained on and tested, nor have two labels."""
    if row["sha256"] not in known:
        return ""
    split, label = known[row["sha256"]]
    return f"in {split} already" if label == row["label"] else f"in {split} with another label"


def _objection(kept: "pa.Table", refused: "pa.Table", judge: "Callable[[pa.Table, int], list[Outcome]]") -> str:
    from duli.preparation.summary import reasons

    counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons(refused.select(["reason"]).to_batches()).items())
    if not kept.num_rows:
        return f"nothing in it can be used ({counted})"
    failed = [outcome for outcome in judge(kept, refused.num_rows) if not outcome.success]
    said = "; ".join(f"{outcome.column} {outcome.name}: {outcome.observed}; expected {outcome.expected}" for outcome in failed)
    return f"{said}{f' ({counted})' if counted else ''}" if failed else ""


def _known() -> dict[str, tuple[str, int]]:
    """Content -> split and label, of the prepared examples."""
    from duli.preparation.parquet import opened

    found: dict[str, tuple[str, int]] = {}
    for split in SPLITS:
        with opened(PREPARED / f"{split}.parquet") as file:
            rows = file.read(columns=["sha256", "label"])
        found |= {sha: (split, label) for sha, label in zip(rows["sha256"].to_pylist(), rows["label"].to_pylist(), strict=True)}
    return found


def _lengths(rows: "pa.Table") -> "pa.Array":
    import pyarrow.compute as pc

    return pc.binary_length(rows["content"].combine_chunks())
