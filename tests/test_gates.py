"""Gates fail closed: only a finite number within its bounds passes, and a line without gates is
held.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.errors import DataError, ParamsError
from duli.base.params import Params
from duli.gates import gates
from duli.gates.gates import Gate, Gates

bounds = st.none() | st.floats(allow_nan=False, allow_infinity=False)


SHARE = {"a.b.value": 0.5, "a.b.low": 0.4, "a.b.high": 0.6, "a.c": 1.0}


def judged(value: float, least: float | None = None, most: float | None = None) -> gates.Result:
    (result,) = gates.judge(
        {"speed": Gate(measure="benchmark.speed", min=least, max=most)}, {"benchmark.speed": value}
    )
    return result


@given(bounds, bounds, st.sampled_from([math.nan, math.inf, -math.inf, -math.nan]))
def test_what_is_no_finite_number_never_passes(
    least: float | None, most: float | None, value: float
) -> None:
    if (least is None and most is None) or (
        least is not None and most is not None and least > most
    ):
        return
    result = judged(value, least, most)
    assert not result.passed
    assert result.value is None
    assert "no finite number" in result.reason
    assert gates.verdict([result]) == "hold"


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_a_number_passes_exactly_within_its_bounds(
    value: float, least: float, width: float
) -> None:
    result = judged(value, least, least + width)
    assert result.passed == (least <= value <= least + width)
    assert (result.value, result.min, result.max) == (value, least, least + width)


@pytest.mark.parametrize(
    ("value", "least", "most", "passed"),
    [
        (1.0, 1.0, None, True),
        (1.0, None, 1.0, True),
        (0.99, 1.0, None, False),
        (1.01, None, 1.0, False),
    ],
)
def test_bounds_belong_to_what_passes(
    value: float, least: float | None, most: float | None, passed: bool
) -> None:
    assert judged(value, least, most).passed == passed


def test_a_missing_measure_does_not_pass_and_the_nearest_is_named() -> None:
    (result,) = gates.judge(
        {"a": Gate(measure="evaluation.acuracy.low", min=0)}, {"evaluation.accuracy.low": 1.0}
    )
    assert not result.passed
    assert (
        result.reason
        == "there is no measure evaluation.acuracy.low (is evaluation.accuracy.low meant?)"
    )


def test_the_summary_keeps_value_and_bound_and_says_why() -> None:
    required = {"good": Gate(measure="a.b", min=0), "bad": Gate(measure="a.b", min=2)}
    found = gates.summary(gates.judge(required, {"a.b": 1.0}))
    assert (found["verdict"], found["gates"], found["refused"]) == ("hold", 2, 1)
    assert found["reasons"] == ["bad: a.b = 1 is below 2"]
    assert found["results"][1] == {
        "name": "bad",
        "measure": "a.b",
        "on": "value",
        "value": 1.0,
        "min": 2.0,
        "max": None,
        "passed": False,
        "reason": "a.b = 1 is below 2",
    }
    assert gates.results(json.loads(json.dumps(found))) == gates.judge(required, {"a.b": 1.0})


@pytest.mark.parametrize(
    "judged",
    [None, [], {}, {"results": [{"name": "x"}]}, {"results": [1]}, {"results": [{"min": "x"}]}],
)
def test_what_is_no_judgement_is_none(judged: Any) -> None:
    with pytest.raises(DataError, match="dvc repro"):
        gates.results(judged)


def test_all_gates_have_to_pass_and_none_at_all_is_no_release() -> None:
    good, bad = judged(1.0, least=0), judged(1.0, least=2)
    assert gates.verdict([good, good]) == "release"
    assert gates.verdict([good, bad]) == "hold"
    assert gates.verdict([]) == "hold"


@pytest.mark.parametrize(
    ("gate", "passed", "value"),
    [
        ({"min": 0.45}, True, 0.5),  # the value of a measure with an interval needs no `.value`
        ({"min": 0.45, "on": "interval"}, False, 0.4),
        ({"min": 0.4, "on": "interval"}, True, 0.4),
        ({"max": 0.55}, True, 0.5),
        ({"max": 0.55, "on": "interval"}, False, 0.6),
        ({"min": 0.4, "max": 0.6, "on": "interval"}, True, 0.4),
        ({"min": 0.4, "max": 0.59, "on": "interval"}, False, 0.6),
    ],
)
def test_the_unfavourable_end_of_an_interval_decides_where_it_is_asked_for(
    gate: dict[str, Any], passed: bool, value: float
) -> None:
    (result,) = gates.judge({"share": Gate(measure="a.b", **gate)}, SHARE)
    assert (result.passed, result.value) == (passed, value)


@given(
    st.sampled_from(["a.b.low", "a.b.high", "a.b.value"]),
    st.sampled_from([math.nan, math.inf, -math.inf, None]),
)
def test_an_interval_with_an_end_that_is_no_number_never_passes(
    end: str, poison: float | None
) -> None:
    numbers = {name: value for name, value in {**SHARE, end: poison}.items() if value is not None}
    on_interval = Gate(measure="a.b", min=-1e300, max=1e300, on="interval")
    on_value = Gate(measure="a.b", min=-1e300, max=1e300)
    (interval,), (value,) = (
        gates.judge({"x": on_interval}, numbers),
        gates.judge({"x": on_value}, numbers),
    )
    assert interval.passed == (end == "a.b.value")
    assert value.passed == (end != "a.b.value")


def test_a_measure_without_an_interval_is_not_judged_on_one() -> None:
    (result,) = gates.judge({"x": Gate(measure="a.c", min=0, on="interval")}, SHARE)
    assert not result.passed
    assert "a.c has no interval" in result.reason


def test_gates_on_measures_that_no_report_will_have_are_known_beforehand() -> None:
    known = gates.Catalogue(["a.b.value", "a.b.low", "a.b.high", "a.c", "a.slices.*.worst.low"])
    right = {
        "a.b": {},
        "a.b.low": {},
        "a.c": {},
        "a.slices.age.worst.low": {},
        "a.slices.age.worst": {"on": "interval"},
    }
    assert not gates.unknown(
        {name: Gate(measure=name, min=0, **more) for name, more in right.items()}, known
    )
    wrong = {
        "a.d": {},
        "a.b.lo": {},
        "a.c.value": {},
        "a.slices.age.or.worst.low": {},
        "a.slices.age.worst.lowest": {},
    }
    assert (
        gates.unknown(
            {name: Gate(measure=name, min=0, **more) for name, more in wrong.items()}, known
        ).keys()
        == wrong.keys()
    )
    assert gates.unknown({"x": Gate(measure="a.c", min=0, on="interval")}, known).keys() == {"x"}
    assert "is a.b.low meant?" in gates.unknown({"x": Gate(measure="a.b.lo", min=0)}, known)["x"]


def test_measures_are_the_numbers_by_dotted_name() -> None:
    reports: dict[str, Any] = {
        "evaluation": {
            "accuracy": {"value": 0.99, "n": 10},
            "classes": [1, 2],
            "name": "x",
            "none": None,
        },
        "validation": {"success": True},
        "loss": math.nan,
    }
    found = gates.measures(reports)
    assert set(found) == {
        "evaluation.accuracy.value",
        "evaluation.accuracy.n",
        "validation.success",
        "loss",
    }
    assert found["validation.success"] == 1.0
    assert math.isnan(found["loss"])


def test_two_measures_of_one_name_are_an_error() -> None:
    with pytest.raises(DataError, match=r"two measures are called 'a.b.c'"):
        gates.measures({"a": {"b.c": 1, "b": {"c": 2}}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gates: {require: {}}", "require"),
        ("gates: {require: {a: {measure: a.b}}}", "neither min nor max"),
        ("gates: {require: {a: {measure: a.b, min: 2, max: 1}}}", "min above max"),
        ("gates: {require: {a: {min: 1}}}", "gates.require.a.measure"),
        ("gates: {require: {a: {measure: accuracy, min: 1}}}", "gates.require.a.measure"),
        ("gates: {require: {a: {measure: a.*.b, min: 1}}}", "gates.require.a.measure"),
        ("gates: {require: {a: {measure: a.b, min: .nan}}}", "gates.require.a.min"),
        ("gates: {require: {a: {measure: a.b, min: '1'}}}", "gates.require.a.min"),
        ("gates: {require: {a: {measure: a.b, least: 1}}}", "gates.require.a.least"),
        ("gates: {require: {a: {measure: a.b, min: 1, on: low}}}", "gates.require.a.on"),
    ],
)
def test_a_gate_that_holds_nothing_back_is_a_mistake_in_params(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError) as error:
        Params(tmp_path / "params.yaml").section("gates", Gates)
    assert said in str(error.value)
