"""Two languages say the same: every phrase, name, rule, risk and reason has its counterpart, with
the same numbers in it.
"""

import ast
import re
from pathlib import Path
from string import Formatter
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import Markup

from duli.economics import plan, risks, strategy, summary
from duli.economics.business import CONDITIONS
from duli.economics.required import at_zero
from duli.reporting.business.names import NAMES, REASONS
from duli.reporting.business.phrases import PHRASES
from duli.reporting.business.speech import Speech
from tests.closure import ROOT

ENGLISH, CHINESE = Speech("en"), Speech("zh")
HAN = re.compile("[\u4e00-\u9fff]")
SAME = {"space", "comma", "colon", "stop", "page_title", "p10_p90"}  # what needs no words


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name} - {"usd"}


@pytest.mark.parametrize("key", PHRASES)
def test_every_phrase_has_its_counterpart_with_the_same_places(key: str) -> None:
    english, chinese = PHRASES[key]
    assert english
    assert places(english) == places(chinese)
    assert re.findall(r"<\w+", english).count("<code") == re.findall(r"<\w+", chinese).count(
        "<code"
    )
    assert not HAN.search(english) or key == "other_language"
    assert key in SAME or key == "other_language" or HAN.search(chinese)


def test_phrases_are_those_that_pages_and_charts_say() -> None:
    folder = ROOT / "duli/reporting"
    text = "".join(
        path.read_text()
        for path in [
            *folder.rglob("charts*.py"),
            folder / "shared/pages.py",
            *folder.rglob("*.j2"),
        ]
    )
    said = set(re.findall(r"""["']\.?([\w.]+)["']""", text)) | {"release", "hold"}
    dynamic = {
        f"chart.{what}"
        for what in ("subscribers", "owners", "clients", "weights", "own_machines", "cloud")
    }
    assert set(PHRASES) <= said | dynamic


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_both(name: str) -> None:
    assert all(NAMES[name])


@pytest.mark.parametrize("rule", strategy.RULES, ids=lambda rule: rule.name)
def test_every_rule_says_both_its_outcomes_in_both_languages(rule: strategy.Rule) -> None:
    for english, chinese in ((rule.follows, rule.follows_zh), (rule.otherwise, rule.otherwise_zh)):
        assert english
        assert not HAN.search(english)
        assert HAN.search(chinese)
        # a digit would be a number that is no key of the JSON
        assert not re.search(r"\d", english + chinese)
    assert f"topic.{rule.topic}" in NAMES
    assert f"relation.{rule.relation}" in NAMES


@pytest.mark.parametrize("risk", risks.RISKS, ids=lambda risk: risk.name)
def test_every_risk_is_told_in_both_languages(risk: risks.Risk) -> None:
    assert HAN.search(risk.what_zh)
    assert bool(risk.not_measured) == bool(HAN.search(risk.not_measured_zh))
    assert bool(risk.measure) != bool(risk.not_measured)
    assert f"topic.{risk.topic}" in NAMES


def test_what_is_unknown_is_so_in_both_languages() -> None:
    assert all(HAN.search(row["follows_zh"]) for row in strategy.judge({}))
    limits: Any = {risk.name: SimpleNamespace(value=1.0) for risk in risks.RISKS if risk.measure}
    assert all(HAN.search(row["reason_zh"]) for row in risks.judge({}, limits))


def reasons() -> list[str]:
    """All that the economics may say of a number that is missing."""
    found = [
        plan.NO_IRR,
        plan.NO_PAYBACK,
        plan.NO_LTV,
        plan.NO_END,
        plan.NO_REVENUE,
        plan.FREE,
        plan.NO_COVER,
        plan.NOT_FINITE,
    ]
    for name in CONDITIONS:
        worths = (lambda _: float("nan"), lambda _: 1.0, lambda x: -2 + x, lambda x: 2 + x)
        found += [at_zero(worth, 0.0, 1.0, "more", name).reason for worth in worths]
    for module in (summary, "business"):
        path = (
            Path(str(ROOT / f"duli/economics/{module}.py"))
            if isinstance(module, str)
            else Path(str(module.__file__))
        )
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                found += [
                    str(value.value)
                    for key, value in pairs
                    if getattr(key, "value", "") == "reason" and isinstance(value, ast.Constant)
                ]
    return [reason for reason in found if reason]


@pytest.mark.parametrize("reason", sorted(set(reasons())))
def test_every_reason_for_a_missing_number_is_known(reason: str) -> None:
    assert any(re.fullmatch(pattern, reason) for pattern, _, _ in REASONS)
    assert HAN.search(CHINESE.reason(reason))
    assert not HAN.search(ENGLISH.reason(reason))
    assert "<span" not in CHINESE.reason(reason)


def test_a_reason_that_nobody_translated_stays_english_and_says_so() -> None:
    assert CHINESE.reason("<b>why</b>") == '<span lang="en">&lt;b&gt;why&lt;/b&gt;</span>'


def test_names_of_files_that_have_no_entry_are_written_as_they_are() -> None:
    assert ENGLISH.name("segment.new_kind.win") == "New Kind: win rate"
    assert CHINESE.name("segment.new_kind.win") == "New Kind：赢单率"
    assert CHINESE.units("parsecs") == "parsecs"


@pytest.mark.parametrize(
    ("value", "style", "english", "chinese"),
    [
        (-593_379.6, "big", "−593,000", "−59.3 万"),
        (-1_128_092.0, "big", "−1.13 million", "−113 万"),
        (12.2116e9, "big", "12.2 billion", "122 亿"),
        (40_910_122.0, "about", "40,900,000", "4,090 万"),
        (476.53, "money", "477", "477"),
        (0.004, "share", "under 1 %", "低于 1%"),
        (0.6, "share", "60 %", "60%"),
        (0.9957, "percent", "99.57 %", "99.57%"),
        (0.0, "big", "0.00", "0.00"),
    ],
)
def test_numbers_are_written_as_each_language_does(
    value: float, style: str, english: str, chinese: str
) -> None:
    assert ENGLISH.write(value, style) == english
    assert CHINESE.write(value, style) == chinese


def test_amounts_are_converted_and_nothing_else() -> None:
    yuan = Speech("zh", "CNY", 7.0)
    assert yuan.write(100.0, "money") == "700"
    assert yuan.write(100.0, "price") == "100"
    assert yuan.write(0.5, "percent") == "50.00%"
    assert yuan.say("per_million") == "元／百万次"


def test_ten_thousands_stand_close_to_what_they_count() -> None:
    assert "17.7 万次起" in CHINESE.say(
        "break_even_volume", serving=CHINESE.write(176_924, "about")
    )
    assert "17.7 万</data>次起" in CHINESE.say(
        "break_even_volume", serving=Markup("<data>17.7 万</data>")
    )


def test_what_fills_a_phrase_is_escaped() -> None:
    assert "<b>" not in ENGLISH.say("because", what="<b>", reason="x")
