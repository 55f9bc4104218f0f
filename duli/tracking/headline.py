"""The dozen numbers a release is judged by at a glance, with stable names that say their units."""

import math
from collections.abc import Mapping
from typing import Any

from duli.base.errors import DataError
from duli.base.tasks import Measure, Task

# significant ones, but for counts: these numbers are read side by side, the reports keep all
DIGITS = 5


def measures(task: Task) -> dict[str, Measure]:
    """The measures of a task's headline by name, in the order of display: what decides first."""
    score, key = task.SCORE, task.SCORE.key
    return {
        key: Measure("evaluation", key, f"{score.meaning} on the test split"),
        f"{key}_{score.worst}": Measure(
            "evaluation",
            f"{key}.{score.worst}",
            f"the same, {'lower' if score.worst == 'low' else 'upper'} end of its 95 % interval",
        ),
        "unit_cost_usd_per_million": Measure(
            "business", "unit_cost_usd_per_million", f"USD for a million {task.UNIT.many}"
        ),
        "gross_margin": Measure("business", "gross_margin", "share of the price"),
        "latency_ms": Measure(
            "benchmark", "variants.{variant}.latency_ms", "ms, median at batch 1, one thread"
        ),
        "throughput_per_s": Measure(
            "benchmark", "variants.{variant}.throughput", "examples a second, one thread"
        ),
        "model_kb": Measure(
            "benchmark", "variants.{variant}.bytes", "kB (1,000 bytes), the file that ships", 1e-3
        ),
        **task.HEADLINE,
        "train_seconds": Measure("resources", "train.seconds", "s"),
        "parameters": Measure("train", "parameters", "weights"),
    }


def headline(reports: Mapping[str, Any], shown: Mapping[str, Measure]) -> dict[str, float]:
    """The numbers that `measures` names, from the reports by stage (and `resources`, the sidecars
    by stage).

    Raises `DataError` if a report lacks a number or has one that is not finite.
    """
    variant = _shipped(reports)
    numbers = {}
    for name, measure in shown.items():
        key = measure.key.format(variant=variant)
        value = _find(reports.get(measure.report), key)
        if value is None:
            raise DataError(
                f"the report '{measure.report}' has no number '{key}', the headline's {name}"
                f" ({measure.report}.json); run `dvc repro`, which makes it"
            )
        if not math.isfinite(value):
            raise DataError(
                f"the report '{measure.report}': {key} is {value}; a headline needs finite numbers"
            )
        value *= measure.factor
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
