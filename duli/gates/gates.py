"""Release gates: measures against bounds. A missing or non-finite measure does not pass."""

import difflib
import json
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from duli.base.errors import DataError
from duli.base.params import Section

Bound = Literal["min", "max"]
# the end of an interval that a bound applies to
UNFAVOURABLE: dict[Bound, str] = {"min": "low", "max": "high"}


class Gate(Section):
    """A measure and its bounds; both are inclusive."""

    # report and key, such as evaluation.accuracy
    measure: Annotated[str, Field(pattern=r"^[^.\s*]+(\.[^.\s*]+)+$")]
    min: float | None = None
    max: float | None = None
    # the whole 95 % interval has to be within the bounds: the unfavourable end decides
    on: Literal["value", "interval"] = "value"

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("has neither min nor max, so it would hold nothing back")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("has min above max, so nothing can pass")
        return self

    def names(self, known: Container[str]) -> dict[Bound, str]:
        """The number each bound is compared with: the measure itself, its `value` where it has an
        interval, or an end of that.
        """
        bounds = [bound for bound in UNFAVOURABLE if getattr(self, bound) is not None]
        if self.on == "interval":
            return {bound: f"{self.measure}.{UNFAVOURABLE[bound]}" for bound in bounds}
        return dict.fromkeys(
            bounds, f"{self.measure}.value" if f"{self.measure}.value" in known else self.measure
        )


class Gates(Section):
    """The `gates` section: every gate by its name."""

    require: Annotated[dict[str, Gate], Field(min_length=1)]


@dataclass(frozen=True)
class Result:
    """A judged gate, with everything a reader needs to check it."""

    name: str
    measure: str
    on: Literal["value", "interval"]
    value: float | None  # the value that decided; None if missing or not finite
    min: float | None
    max: float | None
    passed: bool
    reason: str


class Catalogue:
    """Names of measures that a line can make, known before it runs; a part `*` stands for any one
    part that the data name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._exact = frozenset(name for name in self.names if "*" not in name)
        self._patterns = [
            re.compile(re.escape(name).replace(r"\*", r"[^.]+"))
            for name in self.names
            if "*" in name
        ]

    def __contains__(self, name: object) -> bool:
        return name in self._exact or any(
            pattern.fullmatch(str(name)) for pattern in self._patterns
        )


def measures(reports: Mapping[str, Any]) -> dict[str, float]:
    """All numbers of the reports by dotted name (report, then keys); booleans count as 1 and 0,
    lists are ignored.

    Raises `DataError` if two of them have the same name.
    """
    found: dict[str, float] = {}
    for name, number in _numbers(reports, ""):
        if name in found:
            raise DataError(f"two measures are called '{name}'; rename one of them")
        found[name] = number
    return found


def unknown(gates: Mapping[str, Gate], known: Catalogue) -> dict[str, str]:
    """The gates whose measure does not exist, with the reason: they could never pass, so they are
    reported before training.
    """
    lacking = {
        name: [one for one in gate.names(known).values() if one not in known]
        for name, gate in gates.items()
    }
    return {
        name: _no_such(missing[0], gates[name], known)
        for name, missing in lacking.items()
        if missing
    }


def judge(gates: Mapping[str, Gate], measures: Mapping[str, float]) -> list[Result]:
    """Judges every gate by its measure."""
    return [_judge(name, gate, measures) for name, gate in gates.items()]


def verdict(results: list[Result]) -> Literal["release", "hold"]:
    """`release` if there are gates and all of them passed."""
    return "release" if results and all(result.passed for result in results) else "hold"


def summary(results: list[Result]) -> dict[str, Any]:
    """The judgement as plain values: verdict, reasons of failed gates, and every gate."""
    return {
        "verdict": verdict(results),
        "gates": len(results),
        "refused": sum(not result.passed for result in results),
        "reasons": [f"{result.name}: {result.reason}" for result in results if not result.passed],
        "results": [asdict(result) for result in results],
    }


def results(judged: Any) -> list[Result]:
    """The results in a `summary` that was stored as JSON; raises `DataError` if it is invalid."""
    try:
        return TypeAdapter(list[Result]).validate_json(json.dumps(judged["results"]), strict=True)
    except (TypeError, KeyError, ValidationError):
        raise DataError(
            "reports/gates.json is not in the form of this version; run `dvc repro`, which judges"
            " anew"
        ) from None


def _judge(name: str, gate: Gate, measures: Mapping[str, float]) -> Result:
    compared = gate.names(measures)
    refused = [
        bound
        for bound, measure in compared.items()
        if not _within(measures.get(measure, math.nan), bound, gate)
    ]
    bound = refused[0] if refused else next(iter(compared))
    value = measures.get(compared[bound], math.nan)
    return Result(
        name,
        gate.measure,
        gate.on,
        value if math.isfinite(value) else None,
        gate.min,
        gate.max,
        not refused,
        _reason(compared[bound], bound, gate, measures, refused=bool(refused)),
    )


def _within(value: float, bound: Bound, gate: Gate) -> bool:
    # Phrased so that NaN passes neither bound.
    if bound == "min":
        return math.isfinite(value) and gate.min is not None and value >= gate.min
    return math.isfinite(value) and gate.max is not None and value <= gate.max


def _reason(
    measure: str, bound: Bound, gate: Gate, measures: Mapping[str, float], *, refused: bool
) -> str:
    if measure not in measures:
        return _no_such(measure, gate, Catalogue(measures))
    value = measures[measure]
    if not math.isfinite(value):
        return f"{measure} is {value}, no finite number"
    if not refused:
        return f"{measure} = {value:.6g} is within bounds"
    return (
        f"{measure} = {value:.6g} is {'below' if bound == 'min' else 'above'}"
        f" {getattr(gate, bound):.6g}"
    )


def _no_such(measure: str, gate: Gate, known: Catalogue) -> str:
    if gate.on == "interval" and {gate.measure, f"{gate.measure}.value"} & {*known.names}:
        return (
            f"there is no measure {measure}: {gate.measure} has no interval, so it has to be judged"
            " on its value"
        )
    close = difflib.get_close_matches(
        measure, [name.removesuffix(".value") for name in known.names], n=1
    )
    return f"there is no measure {measure}" + (f" (is {close[0]} meant?)" if close else "")


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _numbers(inner, f"{name}.{key}" if name else str(key))
        case bool() | int() | float():
            yield name, float(value)
