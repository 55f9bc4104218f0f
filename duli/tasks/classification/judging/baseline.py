"""Simpler models than the network: the majority class, and a linear model of the example."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST = 20_000  # training examples of a linear model
STEP = 200_000_000  # multiply-adds that one of its steps may take; wide examples get fewer rows
FEWEST = 1000
STEPS = 100

Labels = NDArray[np.int64]
Features = Any  # [n, features], an array or, of texts, a sparse matrix


class Linear(NamedTuple):
    """The answers of a linear model, and how it was fitted."""

    answers: Labels
    examples: int  # number of its training examples
    strength: float  # inverse strength of the penalty: scikit-learn's C


def majority(labels: Labels, n: int) -> Labels:
    """The most frequent class among `labels`, `n` times."""
    return np.full(n, np.bincount(labels).argmax())


def drawn(n: int, classes: int, width: int) -> NDArray[np.int64]:
    """Rows, of `n`, that a linear model is trained on if an example has about `width` numbers.

    Deterministic: equal arguments give equal rows.
    """
    most = min(MOST, max(FEWEST, STEP // max(1, classes * width)))
    return np.sort(np.random.default_rng(0).permutation(n)[:most])


def linear(
    features: Sequence[Features], labels: tuple[Labels, Labels], strengths: Sequence[float]
) -> Linear:
    """Logistic regression on the first of `features` (train, validation, test).

    The strength with the best validation accuracy is kept.

    Runs on one thread, so that the same examples give the same answers on every machine.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    (train, validation, test), (known, validated) = features, labels
    if len(np.unique(known)) == 1:
        return Linear(np.full(test.shape[0], known[0]), len(known), strengths[0])
    with threadpool_limits(1), warnings.catch_warnings():
        # stopped early on purpose, as networks are
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [
            LogisticRegression(C=strength, max_iter=STEPS).fit(train, known)
            for strength in strengths
        ]
        right = [int((model.predict(validation) == validated).sum()) for model in models]
        best = int(np.argmax(right))
        answers: Labels = models[best].predict(test).astype(np.int64)
    return Linear(answers, len(known), strengths[best])
