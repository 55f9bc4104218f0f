"""Counts and digests of the splits, gathered row by row."""

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa


class SplitSummary:
    """Of one split: examples per class, and a digest of contents and labels in order."""

    def __init__(self, classes: int) -> None:
        self.per_class = np.zeros(classes, np.int64)
        self._digest = hashlib.sha256()

    def add(self, rows: pa.RecordBatch) -> None:
        """Takes in finished rows."""
        labels = rows["label"].to_numpy()
        self.per_class += np.bincount(labels, minlength=len(self.per_class))
        for sha256, label in zip(rows["sha256"].to_pylist(), labels.tolist(), strict=True):
            self._digest.update(_of_example(sha256, label))

    @property
    def examples(self) -> int:
        """How many rows were taken in."""
        return int(self.per_class.sum())

    def facts(self) -> dict[str, Any]:
        """What stats.json says of the split."""
        return {
            "examples": self.examples,
            "per_class": self.per_class.tolist(),
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


def _of_example(sha256: str, label: int) -> bytes:
    """What an example adds to the digest of its split."""
    return f"{sha256} {label}\n".encode()


def reasons(quarantined: list[pa.RecordBatch]) -> dict[str, int]:
    """How many examples were quarantined for which reason, by name."""
    return dict(
        sorted(
            Counter(reason for rows in quarantined for reason in rows["reason"].to_pylist()).items()
        )
    )
