"""The one form in which benchmarks keep what they measured: benchmarks/results/NAME.json."""

import datetime
import statistics
from pathlib import Path
from typing import Any

from duli import files, machine

RESULTS = Path(__file__).parent / "results"


def result(measure: str, values: list[float], unit: str, **notes: Any) -> dict[str, Any]:
    """One measure: the median of `values`, how many there are, and largest less smallest as the spread."""
    spread = max(values) - min(values)
    return {"measure": measure, "value": statistics.median(values), "unit": unit, "n": len(values), "spread": spread, **notes}


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
        print(f"{one['measure']:<{width}}  {one['value']:>10.2f} {one['unit']:<8} n = {one['n']}, spread {one['spread']:.2f}")
