"""The two catalogues agree: every key is used, and has a text with the same places in both."""

import ast
import csv
import re
from collections import Counter
from pathlib import Path
from string import Formatter
from typing import Any, get_args

import polib
import pytest
from ruamel.yaml import YAML

from duli.base import rooms
from duli.economics import reasons, risks, strategy
from duli.reporting.business import sentences
from duli.reporting.business.speech import CATALOGUES, MEASURED_IN, Speech, catalogue
from duli.tasks.classification.pricing import quality
from duli.tasks.classification.task import SCORE
from tests.closure import ROOT

FOLDER = ROOT / "duli/reporting"
HAN = re.compile("[\u4e00-\u9fff]")
OWN = Path(quality.__file__).parent
ENGLISH, CHINESE = Speech("en", own=OWN), Speech("zh", own=OWN)
KEYS = [key for context, key in catalogue("en", OWN) if context is None]
RULES, RISKS = strategy.rules(SCORE), risks.all_risks(quality.RISKS)
PREFIXES = ("name.", "reason.", "rule.", "risk.")
SAME = {"comma", "colon", "stop", "page_title", "other_language"}  # what needs no words
GIVEN = {"usd", "units", "p10", "p10_p90"}  # places that fill themselves
PAGES = "\n".join(
    path.read_text()
    for folder in ("business", "portfolio", "shared")
    for path in sorted((FOLDER / folder).iterdir())
    if path.suffix in (".py", ".j2")
)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name} - GIVEN


def tags(text: str) -> Counter[str]:
    return Counter(re.findall(r"</?(?!abbr)\w+", text))


def keys(prefix: str) -> set[str]:
    return {key.removeprefix(prefix) for key in KEYS if key.startswith(prefix)}


def literals() -> set[str]:
    """Every text in the code that makes, words or shows figures."""
    folders = [ROOT / "duli/economics", ROOT / "duli/tracking", FOLDER / "business"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    found = {
        part
        for path in [*files, ROOT / "stages/report.py", ROOT / "duli/cli/portfolio.py"]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for part in (node.value, node.value.split(".")[-1])
    }
    return found | set(re.findall(r'"([\w ]+)"', PAGES))


def market() -> set[str]:
    """Ids, parts of ids, and units of the market facts of every line."""
    found = set()
    for path in (*ROOT.glob("data/market/*.csv"), *ROOT.glob("pipelines/*/data/market/*.csv")):
        for row in csv.DictReader(path.read_text().splitlines()):
            parts = row["id"].split(".")
            found |= {row["id"], ".".join(parts[:2]), f"{row['currency']} {row['unit']}".strip()}
            found |= {part.removeprefix("by_") for part in parts} | {row["currency"]}
    return found


def gates() -> set[str]:
    lines = (ROOT / "params.yaml", *ROOT.glob("pipelines/*/params.yaml"))
    return {gate for line in lines for gate in YAML(typ="safe").load(line)["gates"]["require"]}


@pytest.mark.parametrize("folder", [FOLDER / "business", OWN])
@pytest.mark.parametrize("language", CATALOGUES)
def test_a_catalogue_is_whole(language: Any, folder: Path) -> None:
    """No key twice, none without its text or marked as unsure."""
    path = folder / CATALOGUES[language]
    entries = polib.pofile(str(path), check_for_duplicates=True)
    assert not [entry.msgid for entry in entries if not entry.msgstr or entry.fuzzy]
    assert not entries.obsolete_entries()


def test_both_have_the_same_keys() -> None:
    assert sorted(KEYS) == sorted(key for _, key in catalogue("zh", OWN))


def test_only_reasons_are_worded_otherwise_in_business_json() -> None:
    others = [key for key in catalogue("en", OWN) if key[0] is not None]
    assert {context for context, _ in others} == {sentences.JSON}
    assert {key for _, key in others} <= {f"reason.{code}" for code in keys("reason.")}
    for _, key in others:
        assert places(ENGLISH.text(key)) == places(ENGLISH.text(key, sentences.JSON))
        assert ENGLISH.text(key) != ENGLISH.text(key, sentences.JSON)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_has_a_text_in_each_language_with_the_same_places(key: str) -> None:
    english, chinese = ENGLISH.text(key), CHINESE.text(key)
    assert places(english) == places(chinese)
    assert tags(english) == tags(chinese)
    assert not HAN.search(english) or key == "other_language"
    assert key.startswith("name.") or key in SAME or HAN.search(chinese)


def test_texts_are_those_that_pages_and_charts_say() -> None:
    said = set(re.findall(r"""["']\.?([\w.]+)["']""", PAGES))
    made = {  # in f-strings, or by what figures hold
        *(f"chart.{of}" for of in ("subscribers", "owners", "clients")),
        *(f"chart.{band}" for band in ("weights", "own_machines", "cloud")),
        *("release", "hold"),  # a verdict
        *("unpriced", "score_name"),  # stages/report.py, duli/cli/portfolio.py
        *quality.MEASURES,
    }
    texts = {key for key in KEYS if not key.startswith(PREFIXES)}
    assert texts - said - made == set()
    called = r"""\b(?:say|plain|section|cell|text)\(\s*["']([\w.]+)["']"""
    assert set(re.findall(called, PAGES)) - texts == set()


def test_names_are_those_of_figures_facts_and_gates() -> None:
    known = literals() | market()
    dotted = {"unit": known, "gate": gates(), "kind": set(rooms.names("kinds"))}
    unused = set()
    for name in keys("name."):
        prefix, _, rest = name.partition(".")
        if name not in known and not (
            rest in dotted.get(prefix, known) and re.search(rf"""["']{prefix}\.""", PAGES)
        ):
            unused.add(name)
    assert unused == set()


def test_units_and_gates_that_ship_have_names() -> None:
    units = set(MEASURED_IN.values()) | {risk.unit for risk in RISKS} - {"", "yes or no"}
    assert units <= keys("name.unit.")
    root = YAML(typ="safe").load(ROOT / "params.yaml")["gates"]["require"]
    assert set(root) <= keys("name.gate.")


def test_every_rule_says_both_its_outcomes_and_no_numbers() -> None:
    outcomes = [f"{rule.name}.{end}" for rule in RULES for end in ("holds", "fails")]
    assert keys("rule.") == set(outcomes)
    for speech in (ENGLISH, CHINESE):
        for rule in RULES:
            holds, fails = (speech.text(f"rule.{rule.name}.{end}") for end in ("holds", "fails"))
            assert holds != fails
            # a digit would be a number that is no key of the JSON
            assert not re.search(r"\d", holds + fails)
    assert {f"topic.{rule.topic}" for rule in RULES} <= keys("name.")
    assert {f"relation.{rule.relation}" for rule in RULES} <= keys("name.")


def test_what_follows_is_true_where_both_numbers_are_the_same() -> None:
    """A bound belongs to what holds, so no rule that holds may call its number cheaper, fewer or
    more than the bound.
    """
    strict = re.compile(r"^(cheaper|lower|below|above|fewer|less|more|most)\b", re.IGNORECASE)
    texts = {rule.name: ENGLISH.text(f"rule.{rule.name}.holds") for rule in RULES}
    assert [name for name, text in texts.items() if strict.search(text)] == []


def test_every_risk_is_told_and_so_is_why_one_is_not_measured() -> None:
    told = {risk.name for risk in RISKS}
    unmeasured = {f"{risk.name}.unmeasured" for risk in RISKS if not risk.measure}
    assert keys("risk.") == told | unmeasured
    assert {f"topic.{risk.topic}" for risk in RISKS} <= keys("name.")
    row = {"risk": "x", "level": "not measured", "measure": "business.y"}
    assert ENGLISH.unmeasured(row) == "this run has no business.y"
    assert "business.y" in CHINESE.unmeasured(row)


def test_what_is_unknown_is_named_in_both_languages() -> None:
    for row in strategy.judge(RULES, {}):
        assert all(row["left"] in speech.rule(row) for speech in (ENGLISH, CHINESE))


def test_every_reason_has_its_words() -> None:
    assert keys("reason.") == set(get_args(reasons.Code))


@pytest.mark.parametrize("code", get_args(reasons.Code))
def test_a_reason_is_found_again_by_the_sentence_of_business_json(code: str) -> None:
    figures: dict[str, Any] = {"conditions": [], "strategy": [], "risks": []}
    given = {"reasons": [{"key": "a", "reason": reasons.Reason(code, "cac")}]}  # type: ignore[arg-type]
    (row,) = sentences.worded(figures | given)["reasons"]
    assert not re.search(r"\d", row["reason"])
    if places(ENGLISH.text(f"reason.{code}")):
        assert "cac" in row["reason"]
        assert "“获客成本（CAC）”" in CHINESE.reason((code, "cac"))
    else:
        assert sentences.reason(row["reason"]) == (code, "")


def test_a_sentence_that_nobody_translated_stays_english_and_says_so() -> None:
    assert sentences.reason("<b>why</b>") == "<b>why</b>"
    assert CHINESE.reason("<b>why</b>") == '<span lang="en">&lt;b&gt;why&lt;/b&gt;</span>'
    assert ENGLISH.reason("<b>why</b>") == "&lt;b&gt;why&lt;/b&gt;"
