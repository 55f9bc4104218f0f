"""Cleans the raw examples into Parquet splits: no duplicate, no contradiction, what is refused kept in quarantine."""

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from duli import files
from duli.errors import DataError
from duli.params import Params
from duli.preparation import clean, summary
from duli.preparation.params import Prepare
from duli.progress import progress

RAW = Path("data/raw")
PREPARED = Path("data/prepared")
SPLITS = ("train", "validation", "test")


def main() -> None:
    settings = Params("params.yaml").section("prepare", Prepare)
    name = files.read_json(RAW / "dataset.json")["dataset"]
    dataset = importlib.import_module(f"duli.datasets.{name}")
    # What a data set may say of its examples besides, and which of it is about people.
    columns, sensitive = getattr(dataset, "COLUMNS", clean.NOTHING), getattr(dataset, "SENSITIVE", ())
    clean.check_columns(columns, sensitive)
    rules = clean.Rules(len(dataset.CLASSES), dataset.SHAPE, settings.validation_share, columns)

    def batches() -> Iterator[pa.RecordBatch]:
        return _at_most(dataset.examples(RAW, settings.batch_rows), settings.limit)

    verdict = clean.judge(progress(batches(), "looking for duplicates", unit="batches"), rules)
    splits = {split: summary.SplitSummary(len(dataset.CLASSES)) for split in SPLITS}
    quarantined = []
    with contextlib.ExitStack() as stack:
        writers = {
            # On the stack, so that an error closes it before its file.
            target: stack.enter_context(
                pq.ParquetWriter(
                    stack.enter_context(files.atomic(PREPARED / f"{target}.parquet")),
                    rules.quarantined if target == "quarantine" else rules.example,
                    compression="zstd",
                    write_page_checksum=True,
                )
            )
            for target in (*SPLITS, "quarantine")
        }
        for target, rows in clean.sort_out(progress(batches(), "writing", unit="batches"), verdict, rules):
            writers[target].write_batch(rows)
            if target == "quarantine":
                quarantined.append(rows.select(["reason"]))
            else:
                splits[target].add(rows)
        for writer in writers.values():
            writer.close()
        reasons = summary.reasons(quarantined)
        empty = [split for split in SPLITS if not splits[split].examples]
        if empty:
            raise DataError(f"nothing left in {', '.join(empty)}: {len(verdict)} examples read, quarantined {reasons}; look at data/raw")

    mean, std = splits["train"].mean_std()
    channels, height, width = dataset.SHAPE
    files.write_json(
        PREPARED / "stats.json",
        {
            "dataset": name,
            "title": dataset.TITLE,
            "licence": dataset.LICENCE,
            "classes": list(dataset.CLASSES),
            "channels": channels,
            "height": height,
            "width": width,
            "mean": mean,
            "std": std,
            **({"sensitive": list(sensitive)} if sensitive else {}),
            "splits": {split: splits[split].facts() for split in SPLITS},
            "quarantined": reasons,
        },
    )
    counts = ", ".join(f"{split} {splits[split].examples:,}" for split in SPLITS)
    print(f"{counts}; quarantined {sum(reasons.values()):,} {reasons or ''}")


def _at_most(batches: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """At most `limit` examples of each published split."""
    seen: dict[str, int] = {}
    for batch in batches:
        split = batch["split"][0].as_py()
        left = batch.num_rows if limit is None else min(batch.num_rows, limit - seen.get(split, 0))
        seen[split] = seen.get(split, 0) + left
        if left:
            yield batch.slice(0, left)
