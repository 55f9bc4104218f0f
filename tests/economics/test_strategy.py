"""Rules on numbers: they follow the numbers, name what is missing, and are the only source of what
the report advises.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.errors import DataError
from duli.economics import risks, strategy
from duli.tasks.classification.pricing import quality
from duli.tasks.classification.task import SCORE
from tests.economics.facts import shipped

FACTS = shipped()
RULES, RISKS = strategy.rules(SCORE), risks.all_risks(quality.RISKS)


def numbers(left: float, right: float) -> dict[str, float]:
    found = {rule.left: left for rule in RULES}
    return found | {rule.right: right for rule in RULES if isinstance(rule.right, str)}


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_rule_holds_exactly_where_its_numbers_stand_so(left: float, right: float) -> None:
    given_numbers = numbers(left, right)
    for rule, judged in zip(RULES, strategy.judge(RULES, given_numbers), strict=True):
        bound = right if isinstance(rule.right, str) else rule.right
        value = given_numbers[rule.left]
        assert judged["holds"] is (
            value >= bound if rule.relation == "at least" else value <= bound
        )
        assert (judged["left_value"], judged["right_value"]) == (value, bound)


def test_without_its_numbers_nothing_follows() -> None:
    for judged in strategy.judge(RULES, {}):
        assert judged["holds"] is None


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert {rule.topic for rule in RULES} == {
        "price",
        "entry",
        "differentiation",
        "investment",
    }


def test_market_facts_that_rules_name_are_there() -> None:
    known = strategy.thresholds(FACTS)
    named = {
        name
        for rule in RULES
        for name in (rule.left, rule.right)
        if isinstance(name, str) and name.startswith("market.")
    }
    assert len(named) >= 4
    assert named <= known.keys()


def test_a_segment_is_served_by_the_weight_of_the_needs_that_are_met() -> None:
    met = [{"rule": name, "holds": name == "accurate_enough"} for name in strategy.NEEDS.values()]
    fit = strategy.fit(met, FACTS.under("need", "share"))
    assert fit == pytest.approx(
        {"segment.form_capture": 0.3, "segment.postal_logistics": 0.4, "segment.education": 0.2}
    )
    unknown = [{"rule": name, "holds": None} for name in strategy.NEEDS.values()]
    assert set(strategy.fit(unknown, FACTS.under("need", "share")).values()) == {0.0}
    assert {name.split(".")[1] for name in fit} == {
        row.id.split(".")[1] for row in FACTS.group("segment")
    }


@pytest.mark.parametrize("name", ["need.education.colour", "need.education"])
def test_a_need_that_no_rule_judges_is_refused(name: str) -> None:
    facts = shipped(segments=f"need.education.price -> {name}")
    with pytest.raises(DataError, match=r"segments\.csv, line \d+, column id: .* price, accuracy"):
        strategy.fit([], facts.under("need", "share"))


def test_needs_are_judged_by_rules_there_are() -> None:
    assert set(strategy.NEEDS.values()) <= {rule.name for rule in RULES}


LIMITS = {risk.name: FACTS.row(f"risk.{risk.name}", risk.unit) for risk in RISKS if risk.measure}


def test_every_risk_that_has_a_measure_is_low_at_its_limit() -> None:
    values = {risk.measure: LIMITS[risk.name].value for risk in RISKS if risk.measure}
    for risk, judged in zip(RISKS, risks.judge(RISKS, values, LIMITS), strict=True):
        # at the limit all is well
        assert judged["level"] == ("low" if risk.measure else "not measured")
    assert {risk.topic for risk in RISKS} == {
        "privacy",
        "compute and energy",
        "fairness and transparency",
        "legal",
    }
    assert len({risk.name for risk in RISKS}) == len(RISKS)


def test_beyond_its_limit_a_risk_is_high_and_without_its_number_not_measured() -> None:
    for risk in (risk for risk in RISKS if risk.measure):
        limit = LIMITS[risk.name].value
        beyond = limit - 0.01 if risk.relation == "at least" else limit + 0.01
        (judged,) = (
            row
            for row in risks.judge(RISKS, {risk.measure: beyond}, LIMITS)
            if row["risk"] == risk.name
        )
        assert judged["level"] == "high"
    assert {row["level"] for row in risks.judge(RISKS, {}, LIMITS)} == {"not measured"}


def test_legal_dates_come_into_force_on_their_day() -> None:
    from datetime import date

    rows = FACTS.under("legal", "yyyymmdd")
    before, on = (risks.dates(rows, date(2027, 12, day)) for day in (1, 2))
    act = "legal.eu_ai_act_high_risk"
    assert [row["in_force"] for row in before if row["id"] == act] == [False]
    assert [row["in_force"] for row in on if row["id"] == act] == [True]
    assert all(row["note"] for row in on)
