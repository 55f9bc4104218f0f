"""The risks a buyer asks for, each tied to a number of this run and its limit, or said to be not
measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from duli.economics.market import Row
from duli.economics.strategy import compare


@dataclass(frozen=True)
class Risk:
    """What may go wrong and the number that tells; without a `measure`, why there is none."""

    name: str  # the limit is the row risk.<name>, in `unit`
    topic: Literal["privacy", "compute and energy", "fairness and transparency", "legal"]
    what: str
    what_zh: str  # the same for Chinese readers
    measure: str = ""
    # how the number stands to its limit where all is well
    relation: Literal["at least", "at most"] = "at most"
    unit: str = ""
    not_measured: str = ""
    not_measured_zh: str = ""


RISKS = (
    Risk(
        "memorised_examples",
        "privacy",
        "The model tells who was in its training data.",
        "模型泄露谁的数据参与过训练。",
        not_measured="no membership attack was run",
        not_measured_zh="没有做过成员推断攻击",
    ),
    Risk(
        "personal_data",
        "privacy",
        "What customers send holds personal data.",
        "客户送来的数据含有个人信息。",
        not_measured="the test data are public, a customer's are not",
        not_measured_zh="测试数据是公开数据，客户的数据不是",
    ),
    Risk(
        "data_on_the_wire",
        "privacy",
        "Data leave the customer's machines.",
        "数据离开客户自己的机器。",
        not_measured=(
            "the wheel works without a network; whether a subscription is served from elsewhere is"
            " not part of this run"
        ),
        not_measured_zh="安装包无需联网即可运行；订阅服务是否由外部提供，不在本次运行范围之内",
    ),
    Risk(
        "training_energy",
        "compute and energy",
        "Training takes much energy.",
        "训练耗电过多。",
        "business.energy.training_kwh.value",
        "at most",
        "kWh",
    ),
    Risk(
        "serving_carbon",
        "compute and energy",
        "Answers emit much carbon.",
        "推理的碳排放过多。",
        "business.energy.co2_g_per_million.value",
        "at most",
        "g",
    ),
    Risk(
        "idle_machines",
        "compute and energy",
        "Machines wait for customers.",
        "机器空等客户。",
        "business.idle_share_of_cost",
        "at most",
        "share",
    ),
    Risk(
        "slow_answers",
        "compute and energy",
        "The slowest answers come too late.",
        "最慢的响应来得太晚。",
        "business.latency_ms.p99",
        "at most",
        "ms",
    ),
    Risk(
        "weaker_for_some",
        "fairness and transparency",
        "Some groups of examples are answered worse than others.",
        "部分样本组的表现差于其他组。",
        "business.worst_slice_ratio",
        "at least",
        "share",
    ),
    Risk(
        "people_treated_unequally",
        "fairness and transparency",
        "People are treated unequally by a protected attribute.",
        "因受保护属性而对人区别对待。",
        not_measured="the data say nothing of the people behind them",
        not_measured_zh="数据中没有关于样本背后的人的信息",
    ),
    Risk(
        "false_sureness",
        "fairness and transparency",
        "The model is surer than it is right.",
        "模型过度自信。",
        "evaluation.calibration_error.value",
        "at most",
        "share",
    ),
    Risk(
        "spoilt_input",
        "fairness and transparency",
        "Accuracy breaks down on noisy, moved or badly lit input.",
        "输入有噪声、偏移或光照不佳时准确率大幅下降。",
        "evaluation.robustness.mean.value",
        "at least",
        "share",
    ),
    Risk(
        "attacked_input",
        "fairness and transparency",
        "Somebody changes an image so that it is read wrongly.",
        "有人篡改图像，使其被误读。",
        "evaluation.robustness.pgd.8_of_255.shipped.value",
        "at least",
        "share",
    ),
    Risk(
        "forged_release",
        "legal",
        "A customer cannot tell the release from a forgery.",
        "客户无法分辨发布件的真伪。",
        "manifest.signed",
        "at least",
        "yes or no",
    ),
    Risk(
        "rights_in_the_data",
        "legal",
        "The training data may not be used in this way.",
        "训练数据可能不允许这样使用。",
        not_measured="nobody has read their licence for this use",
        not_measured_zh="尚无人就此用途审阅数据许可",
    ),
    Risk(
        "high_risk_use",
        "legal",
        "A customer's use falls under rules for high-risk systems.",
        "客户的用途属于受监管的高风险系统。",
        not_measured="it depends on the use, not on the model",
        not_measured_zh="取决于用途，而不是模型",
    ),
)


def judge(numbers: Mapping[str, float], limits: Mapping[str, Row]) -> list[dict[str, Any]]:
    """Every risk: low or high by its limit (by risk name), or not measured, with the reason."""
    return [_judge(risk, numbers, limits) for risk in RISKS]


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
        level, reason = "not measured", risk.not_measured or f"this run has no {risk.measure}"
        reason_zh = risk.not_measured_zh or f"本次运行没有 {risk.measure} 这一数值"
    else:
        level, reason, reason_zh = (
            ("low" if compare(value, risk.relation, limit) else "high"),
            "",
            "",
        )
    return {
        "risk": risk.name,
        "topic": risk.topic,
        "what": risk.what,
        "what_zh": risk.what_zh,
        "measure": risk.measure,
        "value": value,
        "unit": risk.unit,
        "relation": risk.relation if risk.measure else "",
        "limit": limit,
        "level": level,
        "reason": reason,
        "reason_zh": reason_zh,
    }
