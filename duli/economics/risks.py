"""The risks a buyer asks for, each tied to a number of this run and its limit, or said to be not
measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from duli.economics.market import Row
from duli.economics.strategy import compare

Topic = Literal["privacy", "compute and energy", "fairness and transparency", "legal"]
TOPICS = get_args(Topic)  # in the order of the page


@dataclass(frozen=True)
class Risk:
    """A risk and the measure that shows it; no measure if no run measures it."""

    name: str  # the limit is the row risk.<name>, in `unit`
    topic: Topic
    measure: str = ""
    # how the number stands to its limit where all is well
    relation: Literal["at least", "at most"] = "at most"
    unit: str = ""


RISKS = (
    Risk("memorised_examples", "privacy"),
    Risk("personal_data", "privacy"),
    Risk("data_on_the_wire", "privacy"),
    Risk(
        "training_energy",
        "compute and energy",
        "business.energy.training_kwh.value",
        "at most",
        "kWh",
    ),
    Risk(
        "serving_carbon",
        "compute and energy",
        "business.energy.co2_g_per_million.value",
        "at most",
        "g",
    ),
    Risk("idle_machines", "compute and energy", "business.idle_share_of_cost", "at most", "share"),
    Risk("slow_answers", "compute and energy", "business.latency_ms.p99", "at most", "ms"),
    Risk(
        "weaker_for_some",
        "fairness and transparency",
        "business.worst_slice_ratio",
        "at least",
        "share",
    ),
    Risk("people_treated_unequally", "fairness and transparency"),
    Risk("forged_release", "legal", "manifest.signed", "at least", "yes or no"),
    Risk("rights_in_the_data", "legal"),
    Risk("high_risk_use", "legal"),
)


def all_risks(own: Sequence[Risk]) -> list[Risk]:
    """`RISKS` and those of the task, by topic."""
    return sorted((*RISKS, *own), key=lambda risk: TOPICS.index(risk.topic))


def judge(
    risks: Sequence[Risk], numbers: Mapping[str, float], limits: Mapping[str, Row]
) -> list[dict[str, Any]]:
    """Each risk: low or high by its limit (by risk name), or not measured."""
    return [_judge(risk, numbers, limits) for risk in risks]


def dates(rows: list[Row], as_of: date) -> list[dict[str, Any]]:
    """Legal dates (rows in yyyymmdd), and whether they have come at the day `as_of`; no legal
    advice.
    """
    day = int(as_of.strftime("%Y%m%d"))
    return [
        {
            "id": row.id,
            "day": int(row.value),
            "in_force": row.value <= day,
            "note": row.note,
            "note_zh": row.note_zh,
            "source": row.source_title,
            "kind": row.kind,
        }
        for row in rows
    ]


def _judge(risk: Risk, numbers: Mapping[str, float], limits: Mapping[str, Row]) -> dict[str, Any]:
    value = numbers.get(risk.measure) if risk.measure else None
    limit = limits[risk.name].value if risk.measure else None
    if value is None or limit is None:
        level = "not measured"
    else:
        level = "low" if compare(value, risk.relation, limit) else "high"
    return {
        "risk": risk.name,
        "topic": risk.topic,
        "measure": risk.measure,
        "value": value,
        "unit": risk.unit,
        "relation": risk.relation if risk.measure else "",
        "limit": limit,
        "level": level,
    }
