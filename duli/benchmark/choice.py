"""Chooses the variant that ships by a rule on the measurements, and states the reason; also builds
the table of score against cost.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from duli.base.tasks import Score

# the unmodified export: always allowed, and the reference for the others
FULL = "fp32"


@dataclass(frozen=True)
class Candidate:
    """A variant that may ship; costs are per prediction, relative to fp32."""

    cost: float | None  # None or not finite: not measured
    spread: float  # relative spread of the measurement behind the cost
    bytes: int
    refused: str | None = None  # why it is out of bounds


def choose(candidates: Mapping[str, Candidate], tie: float) -> tuple[str, str]:
    """The variant that ships, and the reason in one sentence.

    The cheapest variant within bounds wins. Variants whose cost is within its noise (the larger of
    the two spreads, at least `tie`) tie with it, and the smallest file of these ships. A variant is
    out if another is better in cost or size and no worse in the other: so one that is both dearer
    and no smaller than fp32 never ships, however noisy. If nothing else remains, fp32 ships.
    """
    within = {
        name: one for name, one in sorted(candidates.items()) if name == FULL or one.refused is None
    }
    measured = {name: one for name, one in within.items() if _is_measured(one)}
    if FULL not in measured:
        return FULL, _sentence(
            f"{FULL} ships: without a cost of it no other can be compared", candidates
        )
    front = {
        name: one
        for name, one in measured.items()
        if not any(_beats(other, one) for other in measured.values())
    }
    cheapest = min(front, key=lambda name: (_cost(front[name]), front[name].bytes, name != FULL))
    tied = [name for name in front if _tied(front[name], front[cheapest], tie)]
    shipped = min(tied, key=lambda name: (front[name].bytes, name != FULL, _cost(front[name])))
    return shipped, _sentence(_why(shipped, cheapest, measured, tie), candidates)


def pareto(
    candidates: Mapping[str, Candidate],
    facts: Mapping[str, Mapping[str, Any]],
    shipped: str,
    score: Score,
) -> list[dict[str, Any]]:
    """The task's score against cost: one row per measured variant, cheapest first.

    `facts[name]` has the validation score (such as `validation_accuracy`), `latency_ms` and
    `peak_mb`. `front` is true if no other variant, allowed or not, is at least as cheap and at
    least as good, and strictly better in one of them.
    """
    key, sign = f"validation_{score.key}", 1 if score.better == "higher" else -1
    points = {
        name: (_cost(one), sign * float(facts[name][key]["value"]))
        for name, one in candidates.items()
        if _is_measured(one)
    }
    return [
        {
            "variant": name,
            "cost_ratio": cost,
            score.key: facts[name][key]["value"],
            f"{score.key}_low": facts[name][key]["low"],
            f"{score.key}_high": facts[name][key]["high"],
            "bytes": candidates[name].bytes,
            "latency_us": facts[name]["latency_ms"]["value"] * 1000,
            "peak_mb": facts[name]["peak_mb"]["value"],
            "within_bounds": candidates[name].refused is None,
            "shipped": name == shipped,
            "front": not any(
                other_cost <= cost
                and other_good >= good
                and (other_cost, other_good) != (cost, good)
                for other_cost, other_good in points.values()
            ),
        }
        for name, (cost, good) in sorted(points.items(), key=lambda item: (item[1][0], item[0]))
    ]


def _is_measured(one: Candidate) -> bool:
    return (
        one.cost is not None
        and math.isfinite(one.cost)
        and one.cost > 0
        and math.isfinite(one.spread)
    )


def _cost(one: Candidate) -> float:
    assert one.cost is not None
    return one.cost


def _beats(other: Candidate, one: Candidate) -> bool:
    costs, sizes = (_cost(other), _cost(one)), (other.bytes, one.bytes)
    return (
        costs[0] <= costs[1]
        and sizes[0] <= sizes[1]
        and (costs[0] < costs[1] or sizes[0] < sizes[1])
    )


def _tied(one: Candidate, cheapest: Candidate, tie: float) -> bool:
    return _cost(one) <= _cost(cheapest) * (1 + max(tie, one.spread, cheapest.spread))


def _why(shipped: str, cheapest: str, measured: Mapping[str, Candidate], tie: float) -> str:
    one, full, best = measured[shipped], measured[FULL], measured[cheapest]
    if shipped == FULL:
        rivals = [
            f"{name} costs {_cost(rival) / _cost(full):.2f} times as much"
            for name, rival in measured.items()
            if name != FULL
        ]
        found = f" ({', '.join(rivals)})" if rivals else ""
        return (
            f"{FULL} ships, an honest no: no variant within the bounds is cheaper beyond the noise,"
            f" or as cheap and smaller{found}"
        )
    cost, size = _cost(one) / _cost(full), full.bytes / one.bytes
    told = (
        f"{shipped} ships: a prediction costs {cost:.2f} of one of {FULL} and the file is"
        f" {size:.1f} times smaller"
    )
    if shipped == cheapest:
        return f"{told}, the cheapest within the bounds"
    noise = max(tie, one.spread, best.spread)
    return (
        f"{told}, the smallest of those tied with the cheapest, {cheapest}"
        f" ({_cost(best) / _cost(full):.2f}), within {noise:.0%}"
    )


def _sentence(told: str, candidates: Mapping[str, Candidate]) -> str:
    """`told` with the variants that could not ship, each once with its reason, which may begin with
    its name.
    """
    refused = {
        name: one.refused
        for name, one in sorted(candidates.items())
        if one.refused is not None and name != FULL
    }
    unmeasured = [
        name
        for name, one in sorted(candidates.items())
        if not _is_measured(one) and name not in refused and name != FULL
    ]
    parts = [told]
    if refused:
        parts.append(
            "refused: "
            + ", ".join(
                f"{name} ({reason.removeprefix(name).strip(' :;.')})"
                for name, reason in refused.items()
            )
        )
    if unmeasured:
        parts.append(f"not measured: {', '.join(unmeasured)}")
    return "; ".join(parts)
