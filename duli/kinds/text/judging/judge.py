"""How models of texts are judged: by their length, mistyped, and by the characters that spoke for a
wrong answer.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.evaluation.predict import Inputs, onnx_logits
from duli.kinds.text.judging import passages
from duli.kinds.text.judging.erasure import contributions
from duli.kinds.text.judging.typos import TYPOS, mistyped
from duli.tasks.classification.judging import baseline
from duli.tasks.classification.judging import robustness as robust
from duli.tasks.classification.judging.judged import Facts, Model, Shown, Test
from duli.tasks.classification.judging.params import Robustness

NO_ATTACK = "gradient descent moves pixels; a text has none"


def skipped(description: Facts) -> Mapping[str, str]:
    """The measures that do not apply, and why."""
    return {"pgd": NO_ATTACK}


def looks(test: Test) -> dict[str, NDArray[np.float64]]:
    """What can be measured of each example, [n]: the tokens that are read of it."""
    return {"tokens": (test.inputs != 0).sum(axis=1).astype(np.float64)}


def robustness(model: Model, test: Test, settings: Robustness) -> Facts:
    """Answers to mistyped texts of the file that ships."""
    rows = robust.evenly(len(test.labels), settings.corruptions.examples)
    texts = _texts(test, rows)

    def typed(name: str) -> Inputs:
        return _inputs(test, mistyped(name, texts, settings.seed))

    ways = {name: lambda name=name: typed(name) for name in TYPOS}
    return robust.under_corruptions(
        model.answers_shipped, test.inputs[rows], ways, test.labels[rows]
    )


def linear(train: Test, validation: Test, test: Test) -> baseline.Linear:
    """What a linear model of the runs of characters answers to the test split."""
    texts = [_texts(split, np.arange(len(split.labels))) for split in (train, validation, test)]
    features = baseline.characters(texts, int(train.labels.max()) + 1)
    return baseline.linear(features, (train.labels, validation.labels), (1.0, 10.0))


def shown(model: Model, test: Test, facts: Facts, seed: int) -> Shown:
    """The mistakes with their characters coloured, and a text mistyped in each way."""
    rows = [mistake["row"] for mistake in facts["mistakes"]]
    answers = model.answers_shipped(test.inputs[rows]) if rows else test.labels[:0]

    def logits(texts: list[str]) -> NDArray[np.float32]:
        return onnx_logits(model.onnx[model.shipped], _inputs(test, texts))

    mistakes = [
        {
            "passage": passages.marked(
                text, contributions(logits, text, int(answer), int(test.labels[row]))
            )
        }
        for row, text, answer in zip(
            rows, _texts(test, np.array(rows, np.int64)), answers, strict=True
        )
    ]
    (example,) = _texts(test, np.zeros(1, np.int64))
    return Shown(
        {},
        {
            "mistakes": mistakes,
            "corruptions": {name: mistyped(name, [example], seed)[0] for name in TYPOS},
            "clean": example,
        },
    )


def _texts(test: Test, rows: NDArray[np.int64]) -> list[str]:
    return [content.decode() for content in test.table["content"].take(pa.array(rows)).to_pylist()]


def _inputs(test: Test, texts: list[str]) -> Inputs:
    return test.kind.arrays(
        pa.chunked_array([pa.array([text.encode() for text in texts], pa.binary())])
    )
