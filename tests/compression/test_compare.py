"""The bounds of a variant, and the best calibration."""

import math
from typing import Any

import numpy as np
import pytest

from duli.tasks.classification.comparing.variants import Variants

VARIANTS = Variants({"classes": ["a", "b"]}, np.array([0, 1]), 0.002, 0.01)


def change(lost: int, high: float, won: int = 0) -> dict[str, Any]:
    return {
        "n": 10_000,
        "lost": lost,
        "won": won,
        "drop_points": {"value": lost / 100, "low": 0.0, "high": high},
    }


@pytest.mark.parametrize(
    ("high", "of_class", "good", "said"),
    [
        (0.19, 0.9, True, "within the allowed 0.20, and 0.90 of class b, within 1.00"),
        (0.21, 0.9, False, "at worst 0.21 points (95 %), more than the allowed 0.20"),
        (0.19, 1.1, False, "of class b at worst 1.10 points (95 %), more than the allowed 1.00"),
        (math.nan, 0.9, False, "nan"),
        (0.19, math.nan, False, "nan"),
    ],
)
def test_the_bounds_hold_for_the_unfavourable_ends_of_all_and_of_the_weakest_class(
    high: float, of_class: float, good: bool, said: str
) -> None:
    verdict, reason = VARIANTS.within(
        change(12, high), {"a": change(0, 0.1), "b": change(12, of_class)}
    )
    assert verdict is good
    assert said in reason
    assert "lost 12 and won 0" in reason


def test_the_best_calibration_loses_least_then_is_nearest() -> None:
    tried = {
        "minmax": {**change(3, 0, won=1), "logit_error": 0.1},
        "entropy": {**change(2, 0), "logit_error": 0.3},
        "percentile": {**change(4, 0, won=2), "logit_error": 0.2},
    }
    assert VARIANTS.best(tried) == "minmax"
    tried["percentile"]["lost"] = 3
    assert VARIANTS.best(tried) == "percentile"


def test_the_error_of_logits_is_a_root_mean_square() -> None:
    one, other = (np.array(rows, np.float32) for rows in ([[3, 0], [1, 0]], [[0, 4], [1, 0]]))
    assert VARIANTS.calibrated(other, one, other)["logit_error"] == pytest.approx(2.5)
