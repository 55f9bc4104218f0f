"""Release gates: measured numbers against bounds. Whatever is missing or no finite number does not pass."""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from duli.errors import DataError
from duli.params import Section


class Gate(Section):
    """One measure and its bounds; both ends belong to what passes."""

    measure: Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)+$")]  # report and key, such as evaluation.accuracy.low
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("has neither min nor max, so it would hold nothing back")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("has min above max, so nothing can pass")
        return self


class Gates(Section):
    """The `gates` section: every gate by its name."""

    require: Annotated[dict[str, Gate], Field(min_length=1)]


@dataclass(frozen=True)
class Result:
    """One gate judged, with everything a reader needs to check it."""

    name: str
    measure: str
    value: float | None  # None where it is missing or not finite
    min: float | None
    max: float | None
    passed: bool
    reason: str


def measures(reports: Mapping[str, Any]) -> dict[str, float]:
    """All numbers of the reports by dotted name (report, then keys); truth counts as 1 and 0, lists are left out.

    Raises `DataError` where two of them would have the same name.
    """
    found: dict[str, float] = {}
    for name, number in _numbers(reports, ""):
        if name in found:
            raise DataError(f"two measures are called '{name}'; rename one of them")
        found[name] = number
    return found


def judge(gates: Mapping[str, Gate], measures: Mapping[str, float]) -> list[Result]:
    """Every gate against its measure."""
    return [_judge(name, gate, measures) for name, gate in gates.items()]


def verdict(results: list[Result]) -> Literal["release", "hold"]:
    """`release` where there are gates and all of them passed."""
    return "release" if results and all(result.passed for result in results) else "hold"


def summary(results: list[Result]) -> dict[str, Any]:
    """The judgement as plain values: verdict, the reasons of the gates that refused, and every gate."""
    return {
        "verdict": verdict(results),
        "gates": len(results),
        "refused": sum(not result.passed for result in results),
        "reasons": [f"{result.name}: {result.reason}" for result in results if not result.passed],
        "results": [asdict(result) for result in results],
    }


def _judge(name: str, gate: Gate, measures: Mapping[str, float]) -> Result:
    value = measures.get(gate.measure, math.nan)
    # Asked this way round, so that not-a-number passes neither bound.
    low_enough = gate.max is None or value <= gate.max
    high_enough = gate.min is None or value >= gate.min
    if gate.measure not in measures:
        close = difflib.get_close_matches(gate.measure, measures, n=1)
        reason = f"{gate.measure} is missing" + (f" (is {close[0]} meant?)" if close else "")
    elif not math.isfinite(value):
        reason = f"{gate.measure} is {value}, no finite number"
    elif not high_enough:
        reason = f"{gate.measure} = {value:.6g} is below {gate.min:.6g}"
    elif not low_enough:
        reason = f"{gate.measure} = {value:.6g} is above {gate.max:.6g}"
    else:
        reason = f"{gate.measure} = {value:.6g} is within bounds"
    finite = math.isfinite(value)
    return Result(name, gate.measure, value if finite else None, gate.min, gate.max, finite and low_enough and high_enough, reason)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _numbers(inner, f"{name}.{key}" if name else str(key))
        case bool() | int() | float():
            yield name, float(value)
