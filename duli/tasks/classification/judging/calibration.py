"""Calibration: calibration error, reliability diagram, temperature."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.base.intervals import proportion
from duli.evaluation import bootstrap
from duli.evaluation.predict import softmax

BINS = 15
FOLDS = 5
LOWEST, HIGHEST = -3.0, 3.0  # natural logarithm of the candidate temperatures

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


class Temperature(NamedTuple):
    """The temperature that divides logits before softmax, and its gain."""

    value: float
    # gain in log loss, in nats per example, on examples that the temperature was not fitted to
    gain: dict[str, float]

    @property
    def helps(self) -> bool:
        """Whether the gain is more than chance."""
        return self.gain["low"] > 0


def expected_error(confidence: Floats, correct: Floats) -> Floats:
    """Expected calibration error of [..., n] confidences and right answers (0 or 1): the mean
    distance of confidence and accuracy.

    In `BINS` bins of equal mass (Nguyen and O'Connor 2015), which no crowd at high confidence
    leaves empty.
    """
    order = np.argsort(confidence, axis=-1, kind="stable")
    gaps = np.take_along_axis(correct - confidence, order, axis=-1)
    starts = _starts(confidence.shape[-1])
    return np.asarray(
        np.abs(np.add.reduceat(gaps, starts, axis=-1)).sum(axis=-1) / confidence.shape[-1]
    )


def reliability(confidence: Floats, correct: Floats) -> list[dict[str, float]]:
    """A row for each bin of `expected_error`: mean confidence, and accuracy with its interval."""
    rows: list[dict[str, float]] = []
    order = np.argsort(confidence, kind="stable")
    for part in np.split(order, _starts(len(confidence))[1:]) if len(confidence) else []:
        accuracy = proportion(int(correct[part].sum()), len(part))
        rows.append(
            {
                "confidence": float(confidence[part].mean()),
                "accuracy": accuracy["value"],
                "accuracy_low": accuracy["low"],
                "accuracy_high": accuracy["high"],
                "examples": len(part),
            }
        )
    return rows


def temperature(logits: Floats, labels: Labels) -> Temperature:
    """The temperature of lowest log loss for logits [n, classes] (Guo et al. 2017), judged by
    cross-validation.

    Too few examples for `FOLDS` folds: 1, and a gain of which nothing is known.
    """
    if len(labels) < FOLDS:
        return Temperature(1.0, {"value": np.nan, "low": np.nan, "high": np.nan, "n": len(labels)})
    plain = _losses(logits, labels, 1.0)
    scaled = np.empty_like(plain)
    for fold in range(FOLDS):
        # Every FOLDS-th example: the splits are ordered by a hash, so neighbours are unrelated.
        apart = np.arange(len(labels)) % FOLDS == fold
        scaled[apart] = _losses(
            logits[apart], labels[apart], _fitted(logits[~apart], labels[~apart])
        )
    gain = bootstrap.of_examples(lambda fall: fall.mean(axis=-1), plain - scaled)
    return Temperature(_fitted(logits, labels), gain)


def _fitted(logits: Floats, labels: Labels) -> float:
    from scipy.optimize import minimize_scalar

    # The log loss is convex in 1 / temperature, so along its logarithm there is a single minimum.
    found = minimize_scalar(
        lambda log: _losses(logits, labels, np.exp(log)).mean(),
        bounds=(LOWEST, HIGHEST),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(np.exp(found.x))


def _losses(logits: Floats, labels: Labels, temperature: float) -> NDArray[np.float64]:
    """Log loss in nats of each example."""
    chosen = softmax(logits / temperature)[np.arange(len(labels)), labels]
    result: NDArray[np.float64] = -np.log(np.maximum(chosen, np.finfo(np.float64).tiny))
    return result


def _starts(n: int) -> NDArray[np.int64]:
    """The starts of the bins of equal mass for n sorted examples; fewer bins than `BINS` if n is
    smaller.
    """
    bins = max(1, min(BINS, n))
    return np.arange(bins) * n // bins
