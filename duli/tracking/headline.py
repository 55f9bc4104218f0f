"""The dozen numbers a release is judged by at a glance, with stable names that say their units."""

import math
from collections.abc import Mapping
from typing import Any

from duli.base.errors import DataError

# Name -> (report, key), in the order of display: what decides first. {variant} is the one that is
# shipped.
MEASURES: dict[str, tuple[str, str]] = {
    "accuracy": ("evaluation", "accuracy"),  # on the test split, of what ships
    "accuracy_low": ("evaluation", "accuracy.low"),  # lower end of the 95 % interval
    "unit_cost_usd_per_million": ("business", "unit_cost_usd_per_million"),
    "gross_margin": ("business", "gross_margin"),
    "latency_ms": ("benchmark", "variants.{variant}.latency_ms"),  # median, batch 1, one thread
    "throughput_per_s": ("benchmark", "variants.{variant}.throughput"),  # one thread
    "model_kb": ("benchmark", "variants.{variant}.bytes"),
    "coverage": ("evaluation", "coverage"),  # share of predictions that are sure enough
    "macro_f1": ("evaluation", "macro_f1"),
    "log_loss": ("evaluation", "log_loss"),
    "train_seconds": ("resources", "train.seconds"),
    "parameters": ("train", "parameters"),
}
UNITS = {
    "accuracy": "share of right answers on the test split",
    "accuracy_low": "the same, lower end of its 95 % interval",
    "unit_cost_usd_per_million": "USD for a million answers",
    "gross_margin": "share of the price",
    "latency_ms": "ms, median at batch 1, one thread",
    "throughput_per_s": "examples a second, one thread",
    "model_kb": "kB (1,000 bytes), the file that ships",
    "coverage": "share of answers that are sure enough",
    "macro_f1": "mean over the classes, 0 to 1",
    "log_loss": "nats an example",
    "train_seconds": "s",
    "parameters": "weights",
}
FACTORS = {"model_kb": 1e-3}
# significant ones, but for counts: these numbers are read side by side, the reports keep all
DIGITS = 5


def headline(reports: Mapping[str, Any]) -> dict[str, float]:
    """The headline numbers, in the order of display, from the reports by stage (and `resources`,
    the sidecars by stage).

    Raises `DataError` where a report lacks a number or has one that is not finite.
    """
    variant = _shipped(reports)
    numbers = {}
    for name, (report, pattern) in MEASURES.items():
        key = pattern.format(variant=variant)
        value = _find(reports.get(report), key)
        if value is None:
            lacking = (
                f"the report '{report}' has no number '{key}', the headline's {name}"
                f" ({report}.json)"
            )
            raise DataError(f"{lacking}; run `dvc repro`, which makes it")
        if not math.isfinite(value):
            raise DataError(
                f"the report '{report}': {key} is {value}; a headline needs finite numbers"
            )
        value *= FACTORS.get(name, 1)
        numbers[name] = value if value.is_integer() else float(f"{value:.{DIGITS}g}")
    return numbers


def _shipped(reports: Mapping[str, Any]) -> str:
    name = (reports.get("benchmark") or {}).get("shipped")
    if not isinstance(name, str):
        raise DataError(
            "reports/benchmark.json does not say which variant is shipped; run `dvc repro`, which"
            " makes it"
        )
    return name


def _find(value: Any, key: str) -> float | None:
    """The number at a dotted key; of a measure with an interval or a spread, its value."""
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        value = value.get("value")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
