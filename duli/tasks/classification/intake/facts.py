"""Facts about own data for its params: the number of examples of each class."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from duli.tasks.classification.intake.labels import per_class


def facts(examples: pa.Table, own: Mapping[str, Any], validation: float) -> dict[str, Any]:
    """The values for the template; `validation` is the share of that split."""
    counts = per_class(examples, own["classes"])
    total = sum(counts.values())
    return {
        "counts": counts,
        "total": total,
        "rarest": min(counts.values()),
        "class_share": _class_share(examples, own["classes"], validation),
    }


def told(found: Mapping[str, Any], things: str) -> str:
    """The facts, for the owner of the data."""
    counts = found["counts"]
    some = ", ".join(f"{name} {count:,}" for name, count in [*counts.items()][:8])
    more = " ..." if len(counts) > 8 else ""
    return f"{found['total']:,} different {things} of {len(counts)} classes: {some}{more}"


def _class_share(examples: pa.Table, classes: list[str], validation: float) -> dict[str, float]:
    """Bounds of a class's share of any split: from 2/3 of the rarest to 3/2 of the commonest, after
    what chance does in small splits.

    Chance is given four standard errors of a share, sqrt(p (1 - p) / n), in the smallest split
    there will be.
    """
    published = [
        per_class(examples, classes, split) for split in examples["split"].unique().to_pylist()
    ]
    shares = [count / sum(part.values()) for part in published for count in part.values()]
    sizes = [sum(part.values()) for part in published]
    smallest = min(validation * max(sizes), *sizes)

    def by_chance(share: float) -> float:
        return 4 * float((share * (1 - share) / smallest) ** 0.5)

    low, high = min(shares), max(shares)
    return {
        "min": round(max(0.0, low - by_chance(low)) / 1.5, 4),
        "max": round(min(1.0, 1.5 * (high + by_chance(high))), 4),
    }
