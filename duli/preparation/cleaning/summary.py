"""Counts and digests of the splits, gathered row by row."""

import hashlib
from collections import Counter
from typing import Any

import pyarrow as pa

from duli.base.tasks import Targets


class SplitSummary:
    """Counts of one split, and a digest of contents and labels in order."""

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self.examples = 0  # rows that were taken in
        self._counts = targets.count(pa.array([], targets.type).to_numpy(zero_copy_only=False))
        self._digest = hashlib.sha256()

    def add(self, rows: pa.RecordBatch) -> None:
        """Takes in finished rows."""
        labels = rows["label"].to_numpy()
        self.examples += rows.num_rows
        self._counts = self._counts + self.targets.count(labels)
        for sha256, label in zip(rows["sha256"].to_pylist(), labels.tolist(), strict=True):
            self._digest.update(_of_example(sha256, label))

    def facts(self) -> dict[str, Any]:
        """The entry of the split in stats.json."""
        return {
            "examples": self.examples,
            **self.targets.counted(self._counts),
            "digest": self._digest.hexdigest(),
        }


def digest(rows: pa.Table) -> str:
    """The digest of a split by its contents themselves, whatever the column `sha256` says of
    them.
    """
    whole = hashlib.sha256()
    for content, label in zip(rows["content"].to_pylist(), rows["label"].to_pylist(), strict=True):
        whole.update(_of_example(hashlib.sha256(content).hexdigest(), label))
    return whole.hexdigest()


def _of_example(sha256: str, label: float) -> bytes:
    """The part of an example in the digest of its split."""
    return f"{sha256} {label}\n".encode()


def reasons(quarantined: list[pa.RecordBatch]) -> dict[str, int]:
    """The number of quarantined examples by reason."""
    return dict(
        sorted(
            Counter(reason for rows in quarantined for reason in rows["reason"].to_pylist()).items()
        )
    )
