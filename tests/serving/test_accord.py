"""Two shares counted on different examples: the interval of their difference, and how often it is
wrong.
"""

from functools import cache

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from duli.serving.tasks.classification import accord
from duli.serving.tasks.classification.accord import difference, limits


@pytest.mark.parametrize(
    ("right", "n"),
    [
        (0, 1),
        (1, 1),
        (29, 30),
        (19, 20),
        (0, 500),
        (500, 500),
        (50, 100),
        (9955, 10_000),
        (60_000, 120_000),
    ],
)
def test_the_limits_of_a_share_are_exact(right: int, n: int) -> None:
    exact = binomtest(right, n).proportion_ci(0.95, "exact")
    assert limits(right, n) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize(
    ("right", "n", "verdict"),
    [
        (1, 1, "same"),
        (2, 2, "same"),
        (0, 2, "worse"),
        (29, 30, "same"),
        (28, 30, "worse"),
        (166, 166, "same"),
        (9955, 10_000, "same"),
        (9900, 10_000, "worse"),
        (9990, 10_000, "better"),
    ],
)
def test_a_difference_is_one_only_beyond_chance(right: int, n: int, verdict: str) -> None:
    low, high = difference(right, n, 9955, 10_000)
    assert low <= right / n - 0.9955 <= high
    assert ("worse" if high < 0 else "better" if low > 0 else "same") == verdict


@pytest.mark.parametrize("n", [2, 10, 30, 167, 1000])
@pytest.mark.parametrize("share", [0.7, 0.95, 0.9955])
def test_a_model_that_is_as_good_is_called_worse_in_one_of_forty_at_most(
    n: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accord, "limits", cache(accord.limits))  # of the card: the same each time
    card = 10_000
    counts = np.arange(n + 1)
    worse = [difference(int(right), n, round(share * card), card)[1] < 0 for right in counts]
    assert binom.pmf(counts, n, share)[worse].sum() < 0.026
