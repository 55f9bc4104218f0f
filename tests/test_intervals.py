"""The interval of a share against an independent implementation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from duli.base.intervals import proportion

counts = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_wilson_interval_is_scipys(count: tuple[int, int]) -> None:
    successes, n = count
    theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    ours = proportion(successes, n)
    assert np.allclose([ours["low"], ours["high"]], [theirs.low, theirs.high], atol=1e-12)
    assert 0 <= ours["low"] <= ours["value"] <= ours["high"] <= 1


def test_without_examples_nothing_is_known() -> None:
    assert proportion(0, 0) == {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}
