"""Entry, price and differentiation from stated rules: which numbers are compared, how, and what
follows either way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from duli.base.errors import DataError
from duli.economics.market import Market, Row


@dataclass(frozen=True)
class Rule:
    """Two numbers and what follows from their order; `right` is the name of a number, or the number
    itself.
    """

    name: str
    topic: Literal["price", "entry", "differentiation", "investment"]
    left: str
    relation: Literal["at least", "at most"]
    right: str | float
    follows: str  # where it holds
    otherwise: str
    follows_zh: str  # the same for Chinese readers
    otherwise_zh: str


RULES = (
    Rule(
        "price_pays",
        "price",
        "business.gross_margin.value",
        "at least",
        0.0,
        "The price covers what an answer costs at the planned volume.",
        "An answer costs more than it sells for at the planned volume: raise the price, or lower"
        " what costs most, before selling.",
        "在计划调用量下，价格覆盖单次调用的成本。",
        "在计划调用量下，单次调用的成本高于售价：销售之前先提价，或压缩占比最大的成本。",
    ),
    Rule(
        "price_pays_at_the_worst",
        "price",
        "business.gross_margin.low",
        "at least",
        0.0,
        "The price pays even with every input at its worst end, so a fixed price can be promised.",
        "At the worst ends the price does not pay: promise no fixed price for longer than the"
        " inputs are known.",
        "即使所有输入都取最不利值，价格仍能覆盖成本，可以承诺固定价格。",
        "在最不利的取值下价格不能覆盖成本：在输入尚不确定的期间，不要承诺长期固定价格。",
    ),
    Rule(
        "cheaper_than_every_service",
        "price",
        "business.price_usd_per_million",
        "at most",
        "business.service_usd_per_million.low",
        "No public service has a lower list price: price is an argument.",
        "A public service has a lower list price: price alone wins nobody.",
        "没有公开服务的标价更低：价格可以作为卖点。",
        "已有公开服务的标价更低：仅靠价格赢不来客户。",
    ),
    Rule(
        "cheaper_than_the_middle",
        "price",
        "business.price_usd_per_million",
        "at most",
        "business.service_usd_per_million.median",
        "Not above the middle of the public services: room to raise the price.",
        "Above the middle of the public services: the difference has to be earned by what they"
        " lack.",
        "不高于公开服务标价的中位数：尚有提价空间。",
        "高于公开服务标价的中位数：溢价必须由对手不具备的能力来支撑。",
    ),
    Rule(
        "margin_of_software",
        "price",
        "business.gross_margin.value",
        "at least",
        "market.saas.gross_margin.low",
        "The margin is that of software: it can be financed and valued as such.",
        "The margin is below that of software: plan it as a service, and work on what costs most.",
        "毛利率达到软件企业水平：可以按软件企业融资和估值。",
        "毛利率低于软件企业水平：按服务型业务规划，并优先压缩占比最大的成本。",
    ),
    Rule(
        "ships_what_costs_least",
        "price",
        "business.variants.shipped.unit_cost_usd_per_million",
        "at most",
        "business.variants.fp32.unit_cost_usd_per_million",
        "On the test split the file that ships costs no more to serve than the trained network.",
        "On the test split the trained network costs less to serve than the file that ships: weigh"
        " that against its size and speed.",
        "在测试集上，发布文件的单位成本不高于训练所得网络。",
        "在测试集上，训练所得网络的单位成本低于发布文件：请与其体积和速度一并权衡。",
    ),
    Rule(
        "on_the_customers_machines",
        "differentiation",
        "business.competitors.on_premise_share",
        "at most",
        0.5,
        "At most half of the competitors run on the customer's own machines; the wheel does: lead"
        " with it.",
        "Most competitors run on the customer's own machines too: it is expected, no argument.",
        "能部署在客户自己机器上的竞品不超过一半，而本产品可以：以本地化部署为主打。",
        "多数竞品同样支持本地化部署：这只是入场条件，不构成卖点。",
    ),
    Rule(
        "open_weights",
        "differentiation",
        "business.competitors.open_weights_share",
        "at most",
        0.5,
        "At most half of the competitors hand over the weights: a licence is an offer that the"
        " others do not make.",
        "Most competitors hand over their weights: a licence has to sell support.",
        "交付模型权重的竞品不超过一半：一次性授权是其余对手没有的选择。",
        "多数竞品都交付模型权重：授权只能靠支持服务来卖。",
    ),
    Rule(
        "fast_enough_to_promise",
        "differentiation",
        "business.latency_ms.p99",
        "at most",
        "business.slo_ms",
        "The slowest in a hundred is within the latency objective: promise it in the contract.",
        "The slowest in a hundred misses the latency objective: promise no latency.",
        "最慢的百分之一仍在延迟目标之内：可以写进合同。",
        "最慢的百分之一超出延迟目标：不要对延迟作任何承诺。",
    ),
    Rule(
        "accurate_enough",
        "differentiation",
        "business.accuracy.low",
        "at least",
        "market.requirement.accuracy",
        "No part of the interval of the accuracy is below what buyers would ask for.",
        "The accuracy may be below what buyers would ask for: sell it with review, or improve it"
        " first.",
        "准确率的整个置信区间都不低于买方的预期要求。",
        "准确率可能低于买方的预期要求：配合人工复核销售，或先改进模型。",
    ),
    Rule(
        "signed",
        "differentiation",
        "manifest.signed",
        "at least",
        1.0,
        "The release is signed, so a customer can check what he got.",
        "The release is not signed: sign it before a customer with a security review asks.",
        "发布件已签名，客户可以核验所收到的文件。",
        "发布件未签名：在客户做安全审查之前先完成签名。",
    ),
    Rule(
        "one_segment_first",
        "entry",
        "business.market.largest_segment_share",
        "at least",
        0.5,
        "One segment holds at least half of what can be won: its needs decide, so serve them before"
        " those of others.",
        "No segment holds half of what can be won: enter one, and test a second.",
        "可获得的市场至少一半集中在一个细分市场：优先满足它的需求。",
        "没有哪个细分市场占到一半：先进入一个，同时验证第二个。",
    ),
    Rule(
        "subscribers_can_carry_it",
        "entry",
        "business.break_even.subscribers",
        "at most",
        "business.market.som_accounts",
        "As many subscribers as can be won would pay for the team: a subscription can carry it, if"
        " they come in time.",
        "More subscribers are needed than can be won: a subscription alone never pays for the"
        " team.",
        "养活团队所需的订阅客户不多于可获得的客户数：只要客户来得及时，订阅即可支撑。",
        "养活团队所需的订阅客户多于可获得的客户数：单靠订阅永远养不活团队。",
    ),
    Rule(
        "lead_with_subscription",
        "entry",
        "business.models.subscription.npv_usd.value",
        "at least",
        "business.models.best_npv_usd",
        "No way to sell has a higher net present value than the subscription: lead with it.",
        "Another way to sell has a higher net present value than the subscription.",
        "没有哪种商业模式的净现值高于订阅制：以订阅为主。",
        "另有一种商业模式的净现值高于订阅制。",
    ),
    Rule(
        "lead_with_one_time",
        "entry",
        "business.models.one_time.npv_usd.value",
        "at least",
        "business.models.best_npv_usd",
        "No way to sell has a higher net present value than the licence: lead with it.",
        "Another way to sell has a higher net present value than the licence.",
        "没有哪种商业模式的净现值高于一次性购买：以授权为主。",
        "另有一种商业模式的净现值高于一次性购买。",
    ),
    Rule(
        "lead_with_services",
        "entry",
        "business.models.services.npv_usd.value",
        "at least",
        "business.models.best_npv_usd",
        "No way to sell has a higher net present value than services: lead with them, and let the"
        " model open the door.",
        "Another way to sell has a higher net present value than services.",
        "没有哪种商业模式的净现值高于增值服务：以服务为主，用模型打开局面。",
        "另有一种商业模式的净现值高于增值服务。",
    ),
    Rule(
        "likely_to_pay",
        "investment",
        "business.investment.npv_positive_probability",
        "at least",
        0.5,
        "At least half of the draws pay back with interest.",
        "Do not invest on this plan: most of the draws do not pay back with interest.",
        "至少一半的模拟情景能连本带息收回投资。",
        "不应按此计划投资：多数模拟情景无法连本带息收回投入。",
    ),
    Rule(
        "customers_are_worth_it",
        "investment",
        "business.subscription.ltv_to_cac.value",
        "at least",
        "market.saas.ltv_to_cac",
        "A subscriber brings back what he costs as often as investors ask.",
        "A subscriber does not bring back what he costs often enough: lower the cost of winning"
        " him, or keep him longer.",
        "订阅客户的生命周期价值与获客成本之比达到投资人的要求。",
        "订阅客户的生命周期价值与获客成本之比不足：降低获客成本，或延长留存。",
    ),
    Rule(
        "customers_pay_soon",
        "investment",
        "business.subscription.cac_payback_months.value",
        "at most",
        "market.saas.cac_payback",
        "What a subscriber cost to win is back as soon as investors ask.",
        "What a subscriber cost to win takes longer to come back than investors ask: it has to be"
        " financed.",
        "获客成本的回收期符合投资人的要求。",
        "获客成本的回收期长于投资人的要求：这段时间需要融资支持。",
    ),
    Rule(
        "selling_is_efficient",
        "investment",
        "business.subscription.cac_to_first_year_revenue.value",
        "at most",
        "market.saas.new_cac_ratio",
        "Winning revenue costs no more than it does at the median company.",
        "Winning revenue costs more than it does at the median company.",
        "获得新增收入的花费不高于行业中位数。",
        "获得新增收入的花费高于行业中位数。",
    ),
    Rule(
        "known_well_enough",
        "investment",
        "business.investment.npv_variance_from_assumed",
        "at most",
        0.5,
        "At most half of the uncertainty comes from assumptions: the decision rests on facts.",
        "Most of the uncertainty comes from assumptions: ask customers and measure before"
        " investing.",
        "不确定性中来自假设的不超过一半：决策以事实为依据。",
        "不确定性大半来自假设：投资之前先做客户访谈和实测。",
    ),
)

# Which rule tells whether a need of a segment, `need.<segment>.<need>`, is met.
NEEDS = {
    "price": "cheaper_than_the_middle",
    "accuracy": "accurate_enough",
    "latency": "fast_enough_to_promise",
    "on_premise": "on_the_customers_machines",
}


def judge(numbers: Mapping[str, float]) -> list[dict[str, Any]]:
    """Every rule against the numbers by dotted name; where one is missing the rule is not known,
    which is no reason to go on.
    """
    return [_judge(rule, numbers) for rule in RULES]


def thresholds(facts: Market) -> dict[str, float]:
    """The market facts as numbers that rules can name: market.<id>, and its ends market.<id>.low
    and .high.
    """
    return {
        name: number
        for row in facts.rows.values()
        for name, number in (
            (f"market.{row.id}", row.value),
            (f"market.{row.id}.low", row.low),
            (f"market.{row.id}.high", row.high),
        )
    }


def fit(judged: Sequence[Mapping[str, Any]], needs: Sequence[Row]) -> dict[str, float]:
    """By segment: the share of its needs, by weight, that the judged rules say are met; what is not
    known counts as not met.

    Raises `DataError` for a need that no rule judges.
    """
    holds = {rule["rule"]: rule["holds"] for rule in judged}
    weights: dict[str, list[tuple[float, bool]]] = {}
    for row in needs:
        _, segment, need = row.id.split(".") if row.id.count(".") == 2 else ("", "", "")
        if need not in NEEDS:
            raise DataError(
                f"{row.place}, column id: '{row.id}' is no need.<segment>.<need>; the needs are"
                f" {', '.join(NEEDS)}"
            )
        weights.setdefault(f"segment.{segment}", []).append(
            (row.value, holds.get(NEEDS[need]) is True)
        )
    totals = {name: sum(weight for weight, _ in pairs) for name, pairs in weights.items()}
    return {
        name: sum(w for w, met in pairs if met) / totals[name] if totals[name] else 0.0
        for name, pairs in weights.items()
    }


def compare(left: float, relation: str, right: float) -> bool:
    """Whether `left` is at least, or at most, `right`."""
    return left >= right if relation == "at least" else left <= right


def _judge(rule: Rule, numbers: Mapping[str, float]) -> dict[str, Any]:
    left = numbers.get(rule.left)
    right = numbers.get(rule.right) if isinstance(rule.right, str) else rule.right
    holds = None if left is None or right is None else compare(left, rule.relation, right)
    missing = rule.left if left is None else rule.right
    return {
        "rule": rule.name,
        "topic": rule.topic,
        "left": rule.left,
        "left_value": left,
        "relation": rule.relation,
        "right": rule.right if isinstance(rule.right, str) else "",
        "right_value": right,
        "holds": holds,
        "follows": (
            f"Not known: there is no {missing}."
            if holds is None
            else rule.follows
            if holds
            else rule.otherwise
        ),
        "follows_zh": (
            f"未知：没有 {missing} 这一数值。"
            if holds is None
            else rule.follows_zh
            if holds
            else rule.otherwise_zh
        ),
    }
