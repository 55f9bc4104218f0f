import copy
import math
from typing import Any

import pytest

from duli.base.errors import DataError
from duli.tasks.classification import task
from duli.tracking.headline import headline, measures

MEASURES = measures(task)
SHARE = {"value": 0.99, "low": 0.98, "high": 0.995, "n": 1000}
REPORTS: dict[str, Any] = {
    "evaluation": {
        "accuracy": SHARE,
        "macro_f1": 0.97,
        "log_loss": 0.0312349999,
        "coverage": SHARE,
    },
    "benchmark": {
        "shipped": "int8",
        "variants": {
            "int8": {"bytes": 1500, "latency_ms": {"value": 0.2}, "throughput": {"value": 9000.0}}
        },
    },
    "business": {"unit_cost_usd_per_million": {"value": 14.0}, "gross_margin": {"value": 0.6}},
    "train": {"parameters": 11689512},
    "resources": {"train": {"seconds": 40.0}},
}


def test_every_number_in_the_order_of_display() -> None:
    numbers = headline(REPORTS, MEASURES)
    assert list(numbers) == list(MEASURES)
    assert numbers["accuracy"] == 0.99
    assert numbers["accuracy_low"] == 0.98
    assert numbers["model_kb"] == 1.5
    assert numbers["train_seconds"] == 40.0
    assert (numbers["parameters"], numbers["log_loss"]) == (11689512.0, 0.031235)


@pytest.mark.parametrize("report", REPORTS)
def test_a_missing_report_or_number_is_named(report: str) -> None:
    with pytest.raises(DataError, match=rf"'{report}'.*{report}\.json|{report}\.json.*shipped"):
        headline({name: content for name, content in REPORTS.items() if name != report}, MEASURES)
    with pytest.raises(DataError, match=r"'business'.*'gross_margin'"):
        headline({**REPORTS, "business": {"unit_cost_usd_per_million": 14.0}}, MEASURES)


@pytest.mark.parametrize("poison", [math.nan, math.inf, None, "0.97", True])
def test_what_is_no_finite_number_is_refused(poison: object) -> None:
    reports = copy.deepcopy(REPORTS)
    reports["evaluation"]["macro_f1"] = poison
    with pytest.raises(DataError, match="macro_f1"):
        headline(reports, MEASURES)
