"""Counts, digests and normalisation statistics of the splits, gathered row by row."""

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa


class SplitSummary:
    """Of one split: examples per class, a digest of contents and labels in order, and the sums for mean and std.

    The sums are integers, so the statistics do not depend on how the rows were batched.
    """

    def __init__(self, classes: int) -> None:
        self.per_class = np.zeros(classes, np.int64)
        self.pixels = self.total = self.squares = 0
        self._digest = hashlib.sha256()

    def add(self, rows: pa.RecordBatch) -> None:
        """Takes in finished rows (schema `clean.EXAMPLE`)."""
        labels = rows["label"].to_numpy()
        self.per_class += np.bincount(labels, minlength=len(self.per_class))
        for sha256, label in zip(rows["sha256"].to_pylist(), labels.tolist(), strict=True):
            self._digest.update(_of_example(sha256, label))
        pixels = np.frombuffer(b"".join(rows["content"].to_pylist()), np.uint8)
        counts = np.bincount(pixels, minlength=256)
        self.pixels += pixels.size
        self.total += int(counts @ np.arange(256))
        self.squares += int(counts @ np.arange(256) ** 2)

    @property
    def examples(self) -> int:
        """How many rows were taken in."""
        return int(self.per_class.sum())

    def mean_std(self) -> tuple[float, float]:
        """Mean and standard deviation of all pixels, scaled to 0..1."""
        mean = self.total / self.pixels
        return mean / 255, (self.squares / self.pixels - mean**2) ** 0.5 / 255

    def facts(self) -> dict[str, Any]:
        """What stats.json says of the split."""
        return {"examples": self.examples, "per_class": self.per_class.tolist(), "digest": self._digest.hexdigest()}


def digest(rows: pa.Table) -> str:
    """The digest of a split by its contents themselves, whatever the column `sha256` says of them."""
    whole = hashlib.sha256()
    for content, label in zip(rows["content"].to_pylist(), rows["label"].to_pylist(), strict=True):
        whole.update(_of_example(hashlib.sha256(content).hexdigest(), label))
    return whole.hexdigest()


def _of_example(sha256: str, label: int) -> bytes:
    """What an example adds to the digest of its split."""
    return f"{sha256} {label}\n".encode()


def reasons(quarantined: list[pa.RecordBatch]) -> dict[str, int]:
    """How many examples were quarantined for which reason, by name."""
    return dict(sorted(Counter(reason for rows in quarantined for reason in rows["reason"].to_pylist()).items()))
