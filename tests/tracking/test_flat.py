import math

import pytest

from duli.base.errors import DataError
from duli.tracking.client import flat


def test_params_have_dotted_names_and_lists_are_json() -> None:
    assert flat.params(
        {"train": {"lr": 0.1, "layers": [1, "é"]}, "train.lr": 0.1, "note": "plain", "none": None}
    ) == {
        "train.lr": "0.1",
        "train.layers": '[1, "é"]',
        "note": "plain",
        "none": "null",
    }


def test_two_values_under_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="same name in MLflow"):
        flat.params({"a b": 1, "a": {"x$": 1, "x#": 2}})


def test_what_mlflow_has_no_room_for_is_cut_visibly_and_stays_distinct() -> None:
    long = flat.params({"x": "a" * 7000, "y": "a" * 7001})
    assert all(len(value) == flat.MAX_PARAM for value in long.values())
    assert "(7000 characters, sha256 " in long["x"]
    keys = flat.params({"k" * 300: 1, "k" * 301: 2})
    assert len(keys) == 2
    assert all(len(key) == flat.MAX_KEY for key in keys)


def test_metrics_are_the_numbers_of_the_reports() -> None:
    reports = {
        "evaluation": {"accuracy": {"value": 0.9, "n": 10}, "note": "text", "rows": [1, 2]},
        "validation": {"success": True},
    }
    assert flat.metrics(reports) == {
        "evaluation.accuracy.value": 0.9,
        "evaluation.accuracy.n": 10.0,
        "validation.success": 1.0,
    }


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(poison: float) -> None:
    with pytest.raises(DataError, match=r"evaluation\.loss is"):
        flat.metrics({"evaluation": {"loss": poison}})
    with pytest.raises(DataError, match="line 2: loss"):
        flat.curves([{"step": "1", "loss": str(poison)}])


def test_curves_have_steps_and_leave_out_empty_cells() -> None:
    rows = [
        {"step": "1", "loss": "0.5", "accuracy": ""},
        {"step": "2", "loss": "0.25", "accuracy": "0.9"},
    ]
    assert flat.curves(rows) == [
        ("curves/loss", 0.5, 1),
        ("curves/loss", 0.25, 2),
        ("curves/accuracy", 0.9, 2),
    ]
    with pytest.raises(DataError, match=r"3.*'loss'.*'x'.*'2'"):
        flat.curves([{"step": "1", "loss": "0.5"}, {"step": "2", "loss": "x"}])
    with pytest.raises(DataError, match="step None"):
        flat.curves([{"loss": "0.5"}])
