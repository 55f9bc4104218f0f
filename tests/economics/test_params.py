"""The `report` section refuses plans that cannot be meant."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from duli.economics.params import Report
from tests.economics.facts import PLAN, plan


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "mix",
            {"subscription": 0.6, "one_time": 0.2, "services": 0.3},
            "sums to 1.1, and every customer buys in one way; make it 1",
        ),
        (
            "mix",
            {"subscription": 1.2, "one_time": -0.2, "services": 0.0},
            "less than or equal to 1",
        ),
        ("mix", {"subscription": 1.0}, "Field required"),
        ("currency", "EUR", "'USD' or 'CNY'"),
        ("discount_rate", -0.1, "greater than or equal to 0"),
        ("discount_rate", 15, "less than or equal to 1"),
        ("horizon_months", 0, "greater than or equal to 1"),
        ("horizon_months", 36.5, "valid integer"),
        ("draws", 10, "greater than or equal to 100"),
        ("draws", 10**9, "less than or equal to 1000000"),
        ("seed", -1, "greater than or equal to 0"),
        ("price_per_1000", 0, "greater than 0"),
        ("licence", -1, "greater than 0"),
        ("licence", 1e300, "less than or equal to"),
        ("utilisation", 1e-300, "greater than or equal to 0.001"),
        ("utilisation", 1.1, "less than or equal to 1"),
        ("below_threshold", "both", "'review' or 'abstain'"),
        ("market_size", "", "at least 1 character"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(key: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Report.model_validate_json(json.dumps({**PLAN, key: value}))
    assert said in str(error.value)


def test_shares_that_sum_to_one_but_for_rounding_are_one() -> None:
    assert plan(mix={"subscription": 0.1, "one_time": 0.2, "services": 0.7}).mix.services == 0.7
