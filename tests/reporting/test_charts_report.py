"""Charts show the numbers given, in either language, ask nobody for anything, and are the same
bytes for the same numbers.
"""

import re
from typing import Any

import pytest

from duli.reporting.business import charts_cost, charts_investment, charts_market
from duli.reporting.business.charts_report import draw
from duli.reporting.business.speech import Speech
from tests.reporting.charts import colours, facts, labels

ENGLISH, CHINESE = Speech("en"), Speech("zh")


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    return draw(facts(), ENGLISH, review=True)


@pytest.fixture(scope="module")
def chinese() -> dict[str, str]:
    return draw(facts(), CHINESE, review=True)


def test_the_waterfall_steps_from_part_to_part_to_the_sum_and_the_price(
    english: dict[str, str], chinese: dict[str, str]
) -> None:
    texts = ["0.02", "13.00", "450", "158", "50.00", "671", "1,200"]
    assert (
        labels(english["waterfall"], "role-mark")
        == labels(chinese["waterfall"], "role-mark")
        == texts
    )
    names = ["Compute", "Idle capacity", "Human review", "Errors", "Support", "Unit cost", "Price"]
    assert [
        name for name in labels(english["waterfall"], "role-axis-label") if name in names
    ] == names
    assert "人工复核" in labels(chinese["waterfall"], "role-axis-label")
    assert "Human review" not in draw(facts(), ENGLISH, review=False)["waterfall"]


def test_the_dots_stand_in_order_of_price(english: dict[str, str]) -> None:
    assert labels(english["positions"], "role-mark") == ["676", "1,200", "4,000"]
    assert [
        name for name in labels(english["positions"], "role-axis-label") if not name[0].isdigit()
    ] == ["Cheap", "This release", "Dear"]


def test_break_even_marks_where_the_lines_meet_if_they_do(english: dict[str, str]) -> None:
    assert 'aria-roledescription="point"' in english["subscribers"]
    assert 'aria-roledescription="point"' not in english["licences_per_month"]
    assert "Break-even: Licences a month none" in english["licences_per_month"]


def test_the_distribution_names_its_percentiles_and_tells_losses_from_gains(
    english: dict[str, str],
) -> None:
    assert labels(english["distribution"], "role-mark") == ["P10", "P50", "P90"]
    # of twelve bars from -1,000,000 to 200,000
    assert english["distribution"].count('fill="var(--accent)"') == 2
    assert "P10 −1.13 million; P50 −593,000; P90 −95,700" in english["distribution"]


def test_the_strongest_inputs_are_named_and_no_more_than_fit(
    english: dict[str, str], chinese: dict[str, str]
) -> None:
    for name in ("tornado", "shares"):
        named = [text for text in labels(english[name], "role-axis-label") if text[0].isalpha()]
        assert named[:3] == ["The team", "Cost of a wrong answer", "Form capture: win rate"]
        assert len(named) == charts_investment.MOST
        assert "表单录入：赢单率" in labels(chinese[name], "role-axis-label")
    assert labels(english["shares"], "role-mark")[:2] == ["35 %", "32 %"]


def test_axes_of_money_count_in_the_units_of_the_language(
    english: dict[str, str], chinese: dict[str, str]
) -> None:
    assert "thousand USD" in english["cash"]
    assert "万美元" in chinese["cash"]
    assert "billion USD a year" in english["sizes"]
    assert "亿美元／年" in chinese["sizes"]
    assert "0.56" not in draw(facts(), Speech("zh", "CNY", 7.0), review=True)["waterfall"]
    # 671.02 USD
    assert "4,697" in draw(facts(), Speech("zh", "CNY", 7.0), review=True)["waterfall"]


def test_a_publisher_without_growth_has_none(english: dict[str, str]) -> None:
    assert labels(english["sizes"], "role-mark") == ["14.20 %", ""]


def test_every_competitor_is_placed_by_what_it_allows(english: dict[str, str]) -> None:
    found = labels(english["positioning"], "role-mark")
    assert set(found) == {
        "Weights handed over",
        "On the customer's machines",
        "Cloud alone",
        "This release",
        "Tesseract (no list price)",
        "Mistral OCR",
        "Amazon Rekognition",
    }


@pytest.mark.parametrize("name", list(draw(facts(), ENGLISH, review=True)))
def test_a_chart_is_described_takes_its_colours_from_the_page_and_asks_nobody(
    english: dict[str, str], name: str
) -> None:
    assert 'role="img" aria-label="' in english[name]
    assert colours(english[name]) == set()
    assert "http" not in english[name]
    assert "<script" not in english[name]


def test_the_same_numbers_give_the_same_bytes(english: dict[str, str]) -> None:
    assert draw(facts(), ENGLISH, review=True) == english


def test_no_two_charts_of_a_page_share_an_id(english: dict[str, str]) -> None:
    ids = [found for svg in english.values() for found in set(re.findall(r'id="([^"]*)"', svg))]
    assert len(set(ids)) == len(ids)


def test_a_name_from_a_file_cannot_become_markup() -> None:
    service = facts()["services"][0] | {"id": "service.<script>alert(1)</script>"}
    assert "<script" not in charts_cost.positions([service], 1.0, ENGLISH)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.001, 1e6), (300.0, 40_000.0)])
def test_prices_of_any_spread_are_drawn(low: float, high: float) -> None:
    service = {
        "id": "service.a",
        "usd_per_million": low,
        "usd_per_million_low": low,
        "usd_per_million_high": high,
    }
    assert len(labels(charts_cost.positions([service], high, ENGLISH), "role-mark")) == 2


def test_plans_that_do_not_vary_and_markets_without_prices_are_drawn() -> None:
    given: dict[str, Any] = facts()
    same = {"value": 5.0, "p10": 5.0, "p50": 5.0, "p90": 5.0}
    assert labels(
        charts_investment.distribution(same, [{"low": 4.5, "high": 5.5, "draws": 100}], ENGLISH),
        "role-mark",
    )
    assert charts_investment.tornado([], 5.0, ENGLISH).startswith("<svg")
    assert charts_investment.shares([], ENGLISH).startswith("<svg")
    assert "This release" in charts_market.positioning(
        given["competitors"]["listed"][:1], 1200.0, ENGLISH
    )
