"""Nested params and reports as MLflow wants them: flat, with dotted names, within its limits."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from duli.base.errors import DataError
from duli.base.files import sha256

V = TypeVar("V")

MAX_KEY = 250
MAX_PARAM = 6000
FORBIDDEN = re.compile(r"[^\w\-. :/]")  # what MLflow takes in no key


def params(values: Mapping[str, Any]) -> dict[str, str]:
    """Dotted name -> text; lists as JSON. A text too long for MLflow is cut, and says so and its
    SHA-256.
    """
    texts = (
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in _leaves(values)
    )
    return _by_key((name, _short(text)) for name, text in texts)


def metrics(reports: Mapping[str, Any]) -> dict[str, float]:
    """Dotted name -> number, the names that gates have; truth counts as 1 and 0, texts and lists
    are left out.

    Raises `DataError` naming a number that is not finite: MLflow would store infinity as 1.8e308.
    """
    numbers = _by_key(
        (name, float(value))
        for name, value in _leaves(reports)
        if isinstance(value, bool | int | float)
    )
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise DataError(f"{name} is {number}; only finite numbers are logged, nothing was")
    return numbers


def curves(rows: list[dict[str, str]]) -> list[tuple[str, float, int]]:
    """(name, value, step) for every number in the rows of a history with a column `step`; empty
    cells are left out.

    Raises `DataError` naming the row that has no step, no number, or one that is not finite.
    """
    points = []
    for line, row in enumerate(rows, start=2):
        for name, text in row.items():
            if name == "step" or not text:
                continue
            try:
                value, step = float(text), int(row["step"])
            except (KeyError, ValueError):
                raise DataError(
                    f"history, line {line}: '{name}' is {text!r} at step {row.get('step')!r};"
                    " numbers are needed"
                ) from None
            if not math.isfinite(value):
                raise DataError(
                    f"history, line {line}: {name} is {text}; only finite numbers are logged,"
                    " nothing was"
                )
            points.append((f"curves/{_key(name)}", value, step))
    return points


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _by_key(pairs: Iterator[tuple[str, V]]) -> dict[str, V]:
    found: dict[str, V] = {}
    for name, value in pairs:
        key = _key(name)
        if key in found and found[key] != value:
            raise DataError(
                f"'{name}' would have the same name in MLflow as another: '{key}'; rename one of"
                " them"
            )
        found[key] = value
    return found


def _key(name: str) -> str:
    key = FORBIDDEN.sub("_", name)
    return key if len(key) <= MAX_KEY else f"{key[: MAX_KEY - 17]}-{sha256(name.encode())[:16]}"


def _short(text: str) -> str:
    if len(text) <= MAX_PARAM:
        return text
    mark = f" ... ({len(text)} characters, sha256 {sha256(text.encode())})"
    return text[: MAX_PARAM - len(mark)] + mark
