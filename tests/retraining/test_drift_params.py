"""What the section `retrain.drift` refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.retraining.samples import settings


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"needed": 4}, "asks for 4 of 3 windows; lower needed, or raise windows"),
        (
            {"false_alarms": 0.02, "resamples": 499},
            "too few resamples to find 2.0% of false alarms; take at least 500",
        ),
        ({"false_alarms": 0.0}, "false_alarms"),
        ({"min_examples": 10}, "min_examples"),
    ],
)
def test_what_cannot_be_is_refused(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**knobs)
