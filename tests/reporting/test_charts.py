"""Charts show the numbers given, ask nobody for anything, and are the same bytes for the same numbers."""

import re
from xml.etree import ElementTree

import pytest

from duli.reporting import charts
from duli.reporting.charts import Dot

PARTS = {"Compute": 0.02, "Human review": 450.0, "Errors": 158.0}
SERVICES = [Dot("Dear", 4000, 2000, 4000), Dot("Cheap", 676, 657, 706)]
OURS = Dot("This release", 1200, 1200, 1200)


def labels(svg: str, role: str) -> list[str]:
    """Texts of the marks ('role-mark') or of the axes ('role-axis-label'), as a browser reads them."""
    return [
        "".join(text.itertext())
        for group in ElementTree.fromstring(svg).iter()
        if f"mark-text {role}" in group.get("class", "") + " "
        for text in group
    ]


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {
        "waterfall": charts.waterfall(PARTS, "Unit cost", 1200.0, "USD per million"),
        "positions": charts.positions(SERVICES, OURS, "USD per million"),
    }


def test_the_waterfall_steps_from_part_to_part_to_the_sum_and_the_price(drawn: dict[str, str]) -> None:
    assert labels(drawn["waterfall"], "role-mark") == ["0.02", "450", "158", "608", "1,200"]
    named = labels(drawn["waterfall"], "role-axis-label")
    assert [name for name in named if name in {*PARTS, "Unit cost", "Price"}] == ["Compute", "Human review", "Errors", "Unit cost", "Price"]


def test_the_dots_stand_in_order_of_price(drawn: dict[str, str]) -> None:
    assert labels(drawn["positions"], "role-mark") == ["676", "1,200", "4,000"]
    assert [name for name in labels(drawn["positions"], "role-axis-label") if not name[0].isdigit()] == ["Cheap", "This release", "Dear"]


@pytest.mark.parametrize("name", ["waterfall", "positions"])
def test_a_chart_names_its_unit_and_takes_its_colours_from_the_page(drawn: dict[str, str], name: str) -> None:
    assert "USD per million" in drawn[name]
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', drawn[name]))
    assert colours <= {"none", "transparent"} | {colour for colour in colours if colour.startswith("var(--")}, colours


@pytest.mark.parametrize("name", ["waterfall", "positions"])
def test_a_chart_asks_nobody_for_anything(drawn: dict[str, str], name: str) -> None:
    assert "http" not in drawn[name]
    assert "<script" not in drawn[name]


def test_the_same_numbers_give_the_same_bytes(drawn: dict[str, str]) -> None:
    assert charts.waterfall(PARTS, "Unit cost", 1200.0, "USD per million") == drawn["waterfall"]
    assert charts.positions(SERVICES, OURS, "USD per million") == drawn["positions"]


def test_a_name_from_a_file_cannot_become_markup() -> None:
    svg = charts.positions([Dot("<script>alert(1)</script>", 1, 1, 2)], OURS, "USD")
    assert "<script" not in svg


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.001, 1e6), (300.0, 40_000.0)])
def test_prices_of_any_spread_are_drawn(low: float, high: float) -> None:
    assert len(labels(charts.positions([Dot("a", low, low, high)], Dot("b", high, high, high), "USD"), "role-mark")) == 2
