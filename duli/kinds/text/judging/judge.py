"""Evaluation of text models: by length, with typos, and by the characters behind a wrong answer."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.evaluation.judged import Facts, Features, Model, Outputs, Split
from duli.evaluation.predict import Inputs
from duli.kinds.text.judging import passages
from duli.kinds.text.judging.erasure import contributions
from duli.kinds.text.judging.typos import TYPOS, mistyped

NO_ATTACK = "gradient descent moves pixels; a text has none"
RUNS = (1, 4)  # characters of the runs that a linear baseline counts
CHARACTERS = 2000  # of a text that it reads
VALUES = 20_000_000  # runs times outputs, at most


def skipped(description: Facts) -> Mapping[str, str]:
    """The measures that do not apply, and why."""
    return {"pgd": NO_ATTACK}


def looks(split: Split) -> dict[str, NDArray[np.float64]]:
    """Measurable properties of each example, [n]: the tokens that are read of it."""
    return {"tokens": (split.inputs != 0).sum(axis=1).astype(np.float64)}


def ways(
    split: Split, rows: NDArray[np.int64], description: Facts, seed: int
) -> dict[str, Callable[[], Inputs]]:
    """Texts mistyped in five ways."""
    texts = _texts(split, rows)

    def typed(name: str) -> Inputs:
        return _inputs(split, mistyped(name, texts, seed))

    return {name: lambda name=name: typed(name) for name in TYPOS}  # type: ignore[misc]


def features(splits: Sequence[Split], outputs: int) -> Features:
    """Texts by their runs of characters that train has twice, sparse [n, runs].

    TF-IDF with logarithmic counts.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    counted = TfidfVectorizer(
        analyzer="char",
        ngram_range=RUNS,
        sublinear_tf=True,
        min_df=2,
        max_features=VALUES // outputs,
        dtype=np.float32,
    )
    train, *others = (
        [text[:CHARACTERS] for text in _texts(split, np.arange(len(split.targets)))]
        for split in splits
    )
    return Features(
        [counted.fit_transform(train), *(counted.transform(texts) for texts in others)], (1.0, 10.0)
    )


def shown(
    model: Model,
    split: Split,
    rows: list[int],
    outputs: NDArray[np.int64],
    others: NDArray[np.int64],
    seed: int,
) -> Facts:
    """The mistakes with their characters coloured, and a text mistyped in each way."""

    def answered(texts: list[str]) -> Outputs:
        return model.outputs_shipped(_inputs(split, texts))

    texts = _texts(split, np.array(rows, np.int64))
    (example,) = _texts(split, np.zeros(1, np.int64))
    return {
        "mistakes": [
            {"passage": passages.marked(text, contributions(answered, text, int(one), int(other)))}
            for text, one, other in zip(texts, outputs, others, strict=True)
        ],
        "corruptions": {name: mistyped(name, [example], seed)[0] for name in TYPOS},
        "clean": example,
    }


def _texts(split: Split, rows: NDArray[np.int64]) -> list[str]:
    return [content.decode() for content in split.table["content"].take(pa.array(rows)).to_pylist()]


def _inputs(split: Split, texts: list[str]) -> Inputs:
    contents = pa.array([text.encode() for text in texts], pa.binary())
    return split.kind.arrays(pa.chunked_array([contents]))
