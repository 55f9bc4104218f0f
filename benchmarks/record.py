"""The one form in which benchmarks keep what they measured: benchmarks/results/NAME.json."""

import datetime
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from duli.base import files, machine

Results = list[dict[str, Any]]
RESULTS = Path(__file__).parent / "results"


def result(measure: str, values: list[float], unit: str, **notes: Any) -> dict[str, Any]:
    """One measure: the median of `values`, how many there are, and largest less smallest as the
    spread.
    """
    spread = max(values) - min(values)
    return {
        "measure": measure,
        "value": statistics.median(values),
        "unit": unit,
        "n": len(values),
        "spread": spread,
        **notes,
    }


def write(name: str, results: list[dict[str, Any]], *packages: str) -> None:
    """Keeps the results with hardware, versions and day, and prints them."""
    facts = {
        "hardware": machine.describe(),
        "versions": machine.versions(*packages),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "results": results,
    }
    files.write_json(RESULTS / f"{name}.json", facts)
    width = max(len(one["measure"]) for one in results)
    for one in results:
        print(
            f"{one['measure']:<{width}}  {one['value']:>10.4g} {one['unit']:<8} n = {one['n']},"
            f" spread {one['spread']:.4g}"
        )


def run_parts(
    name: str, parts: Mapping[str, Callable[[], Results]], usage: str, *packages: str
) -> None:
    """Measures the parts named on the command line, or all, and keeps each beside what others gave
    before; `usage` is for unknown names.
    """
    asked = sys.argv[1:] or list(parts)
    unknown = [part for part in asked if part not in parts]
    if unknown:
        sys.exit(f"no part {', '.join(unknown)}; known: {', '.join(parts)}\n{usage}")
    for part in asked:
        print(f"-- {part}", flush=True)
        path = RESULTS / f"{name}.json"
        measured = [{**one, "part": part} for one in parts[part]()]
        before = files.read_json(path) if path.exists() else {"hardware": None, "results": []}
        # What stays was measured where the file said, which may be another machine than this one.
        there = (
            {}
            if before["hardware"] in (None, machine.describe())
            else {"hardware": _words(before["hardware"])}
        )
        kept = [{**there, **one} for one in before["results"] if one["part"] != part]
        write(name, kept + measured, *packages)


def _words(hardware: Mapping[str, Any]) -> str:
    return f"{hardware['cpu']} ({' '.join(hardware['flags'])}), {hardware['cores']} cores"
