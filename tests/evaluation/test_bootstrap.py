"""Bootstrap intervals hold the truth as often as they say, and are the same each time."""

import math

import numpy as np
import pytest
from scipy.stats import bootstrap as scipys

from duli.evaluation import bootstrap


def mean(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.mean(axis=-1))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    samples = np.random.default_rng(1).exponential(size=(200, 300))
    found = [bootstrap.of_examples(mean, sample) for sample in samples]
    held = sum(one["low"] <= 1.0 <= one["high"] for one in found)
    assert 180 <= held <= 199  # 190 expected; fewer than 180 or all 200 would be one in a thousand


def test_the_ends_are_scipys() -> None:
    sample = np.random.default_rng(2).exponential(size=500)
    ours = bootstrap.of_examples(mean, sample)
    theirs = scipys(
        (sample,), np.mean, method="percentile", n_resamples=20_000, rng=3
    ).confidence_interval
    assert (ours["low"], ours["high"]) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert ours == bootstrap.of_examples(mean, sample)


def test_counting_cells_is_drawing_examples() -> None:
    right = np.repeat([1.0, 0.0], [940, 60])
    of_examples = bootstrap.of_examples(mean, right)
    of_counts = bootstrap.of_counts(
        lambda counts: counts[..., 0] / counts.sum(axis=-1), np.array([940, 60])
    )
    assert of_examples["value"] == of_counts["value"] == 0.94
    assert (of_examples["low"], of_examples["high"]) == pytest.approx(
        (of_counts["low"], of_counts["high"]), abs=0.004
    )


def test_without_examples_nothing_is_known() -> None:
    for facts in (
        bootstrap.of_examples(mean, np.empty(0)),
        bootstrap.of_counts(mean, np.zeros(3, np.int64)),
    ):
        assert facts["n"] == 0
        assert all(math.isnan(facts[end]) for end in ("value", "low", "high"))


def test_a_biased_statistic_keeps_its_value_within() -> None:
    facts = bootstrap.of_examples(lambda values: values.max(axis=-1), np.arange(100.0))
    assert facts["low"] <= facts["value"] == facts["high"] == 99.0
