"""Cleans raw and accepted examples into Parquet splits: no duplicates, no contradictions; rejected
examples stay in quarantine.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from duli.base import files, kinds, rooms
from duli.base.errors import DataError, ParamsError
from duli.base.params import Params
from duli.base.progress import progress
from duli.datasets.shared.dataset import dataset as dataset_of
from duli.preparation.cleaning import clean, summary
from duli.preparation.cleaning.params import Prepare
from duli.preparation.prepared.parquet import opened

RAW = Path("data/raw")
ACCEPTED = Path("data/accepted")  # windows of labelled examples that `duli retrain` accepted
PREPARED = Path("data/prepared")
SPLITS = ("train", "validation", "test")


def main() -> None:
    params = Params("params.yaml")
    settings = params.section("prepare", Prepare)
    fetched = files.read_json(RAW / "dataset.json")
    name = fetched["dataset"]
    dataset = dataset_of(name, fetched["own"])
    if params.values["kind"] != dataset.KIND:
        raise ParamsError(
            f"params.yaml: kind = '{params.values['kind']}', but the dataset '{name}' is of the"
            f" kind '{dataset.KIND}'; write that"
        )
    kind = kinds.of(dataset, settings.tokens)
    targets = rooms.task(params.values["task"], "targets.targets").Targets.of(dataset)
    # Optional columns of a dataset, and those of them that concern people.
    columns, sensitive = (
        getattr(dataset, "COLUMNS", clean.NOTHING),
        getattr(dataset, "SENSITIVE", ()),
    )
    clean.check_columns(columns, sensitive, kind)
    rules = clean.Rules(
        targets, kind, settings.validation_share, settings.test_share or 0, columns, complete=True
    )

    accepted = sorted(ACCEPTED.glob("*.parquet"))
    absent = [
        path.name
        for path in sorted(ACCEPTED.glob("*.parquet.dvc"))
        if not path.with_suffix("").exists()
    ]
    if absent:
        raise DataError(
            f"{ACCEPTED} has {', '.join(absent)} without the examples; `dvc pull"
            f" {ACCEPTED / absent[0]}` brings them"
        )

    def batches() -> Iterator[pa.RecordBatch]:
        yield from _at_most(dataset.examples(RAW, settings.batch_rows), settings.limit)
        for path in accepted:
            yield from _window(path, settings.batch_rows)

    verdict = clean.judge(progress(batches(), "looking for duplicates", unit="batches"), rules)
    near_duplicates = clean.near_duplicates(verdict)
    splits = {split: summary.SplitSummary(targets) for split in SPLITS}
    quarantined = []
    with contextlib.ExitStack() as stack:
        writers = {
            # On the exit stack, so that an error closes it before its file.
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
        for target, rows in clean.sort_out(
            progress(batches(), "writing", unit="batches"), verdict, rules
        ):
            writers[target].write_batch(rows)
            if target == "quarantine":
                quarantined.append(rows.select(["reason"]))
            else:
                splits[target].add(rows)
                if target == "train":
                    kind.add(rows["content"].to_pylist())
        for writer in writers.values():
            writer.close()
        reasons = summary.reasons(quarantined)
        empty = [split for split in SPLITS if not splits[split].examples]
        if empty:
            raise DataError(
                f"nothing left in {', '.join(empty)}: {len(verdict)} examples read, quarantined"
                f" {reasons}; look at data/raw"
            )

    kind.learn()
    files.write_json(PREPARED / "preprocessing.json", kinds.described(kind))
    files.write_json(
        PREPARED / "stats.json",
        {
            "dataset": name,
            "title": dataset.TITLE,
            "licence": dataset.LICENCE,
            **targets.facts,
            "kind": kind.name,
            "input": kind.input,
            "columns": columns.names,
            **kind.named,
            **({"sensitive": list(sensitive)} if sensitive else {}),
            "splits": {split: splits[split].facts() for split in SPLITS},
            "quarantined": reasons,
            # Kept, in the split of their near duplicates.
            **({"near_duplicates": near_duplicates} if near_duplicates else {}),
            **({"accepted": [_facts(path) for path in accepted]} if accepted else {}),
        },
    )
    counts = ", ".join(f"{split} {splits[split].examples:,}" for split in SPLITS)
    print(f"{counts}; quarantined {sum(reasons.values()):,} {reasons or ''}")
    if near_duplicates:
        print(f"near duplicates, each with the others of its kind: {near_duplicates}")


def _facts(path: Path) -> dict[str, Any]:
    """Facts about an accepted window, among others for the model card."""
    with opened(path) as file:
        return {"file": path.name, "examples": file.metadata.num_rows, "sha256": files.sha256(path)}


def _window(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """The examples of one accepted window, in the form of published training examples."""
    with opened(path) as file:
        for batch in file.iter_batches(batch_size=rows):
            yield batch.append_column("split", pa.array(["train"] * batch.num_rows))


def _at_most(batches: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """At most `limit` examples of each published split."""
    seen: dict[str, int] = {}
    for batch in batches:
        split = batch["split"][0].as_py()
        left = batch.num_rows if limit is None else min(batch.num_rows, limit - seen.get(split, 0))
        seen[split] = seen.get(split, 0) + left
        if left:
            yield batch.slice(0, left)
