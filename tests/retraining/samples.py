"""Samples to judge, drawn from distributions that are known."""

from typing import Any

import numpy as np

from duli.retraining.drift import Sample
from duli.retraining.drift_params import Drift

NAMES = ("cat", "dog", "owl")
SETTINGS: dict[str, Any] = {
    "false_alarms": 0.05,
    "windows": 3,
    "needed": 2,
    "min_examples": 100,
    "reference": 5000,
    "resamples": 200,
    "seed": 0,
}


def settings(**knobs: Any) -> Drift:
    return Drift(**{**SETTINGS, **knobs})


def sample(
    n: int,
    seed: int,
    *,
    moved: float = 0.0,
    turned: float = 0.0,
    shares: tuple[float, ...] = (0.5, 0.3, 0.2),
) -> Sample:
    """Two features that depend on each other, a constant one, one with gaps and few values;
    classes; embeddings of 6 numbers.

    `moved` is added to the feature `length`, `turned` to one direction of the embeddings, both in
    standard deviations.
    """
    generator = np.random.default_rng(seed)
    length = generator.normal(size=n)
    grades = generator.integers(0, 4, n).astype(float)
    grades[generator.random(n) < 0.1] = np.nan
    features = {
        "length": length + moved,
        "area": length**2 + generator.normal(0, 0.1, n),
        "always": np.full(n, 7.0),
        "grade": grades,
    }
    label = generator.choice(3, n, p=shares)
    prediction = np.where(generator.random(n) < 0.95, label, generator.integers(0, 3, n))
    embeddings = generator.normal(size=(n, 6))
    embeddings[:, 0] += turned
    return Sample(
        features, {"label": label, "prediction": prediction}, embeddings.astype(np.float32)
    )
