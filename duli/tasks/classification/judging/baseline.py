"""Simpler models than the network: the majority class, and a linear model of the example."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST = 20_000  # examples that a linear model learns from
STEP = 200_000_000  # multiplications that one of its steps may take; of wide examples it gets fewer
FEWEST = 1000
STEPS = 100

Labels = NDArray[np.int64]
Features = Any  # [n, features], an array or, of texts, a sparse matrix


class Linear(NamedTuple):
    """The answers of a linear model, and how it was fitted."""

    answers: Labels
    examples: int  # that it learned from
    strength: float  # of the fit against the penalty on its weights: scikit-learn's C


def majority(labels: Labels, n: int) -> Labels:
    """The class that is the commonest among `labels`, `n` times."""
    return np.full(n, np.bincount(labels).argmax())


def drawn(n: int, classes: int, width: int) -> NDArray[np.int64]:
    """The rows, of `n`, that a linear model learns from where an example has about `width` numbers.

    The same for the same numbers.
    """
    most = min(MOST, max(FEWEST, STEP // max(1, classes * width)))
    return np.sort(np.random.default_rng(0).permutation(n)[:most])


def linear(
    features: Sequence[Features], labels: tuple[Labels, Labels], strengths: Sequence[float]
) -> Linear:
    """Logistic regression of the first of `features` (train, validation, test).

    The strength is the one that answers best on validation.

    On one thread, so that the same examples give the same answers wherever they are counted.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    (train, validation, test), (known, validated) = features, labels
    if len(np.unique(known)) == 1:
        return Linear(np.full(test.shape[0], known[0]), len(known), strengths[0])
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped early, as networks are
        models = [
            LogisticRegression(C=strength, max_iter=STEPS).fit(train, known)
            for strength in strengths
        ]
        right = [int((model.predict(validation) == validated).sum()) for model in models]
        best = int(np.argmax(right))
        answers: Labels = models[best].predict(test).astype(np.int64)
    return Linear(answers, len(known), strengths[best])
