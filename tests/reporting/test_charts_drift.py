"""Charts of the drift page show the shares given and need nothing but the page."""

import re

import pytest

from duli.reporting.drift import charts
from tests.reporting.charts import colours, labels

ENDS = [0.0, 20.0, 40.0, 60.0]
OLD = {"ends": ENDS, "reference": [0.0, 0.5, 0.3, 0.2, 0.0], "window": [0.0, 0.4, 0.4, 0.2, 0.0]}
NEW = {**OLD, "window": [0.0, 0.1, 0.3, 0.2, 0.4]}
SHARES = {"reference": [0.5, 0.5], "window": [0.25, 0.75]}


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {
        "feature": charts.feature("thickness", [("w1", OLD), ("w2", NEW)]),
        "classes": charts.classes(
            "label", ["cat", "dog"], [("w1", SHARES), ("w2", {**SHARES, "window": [1.0, 0.0]})]
        ),
    }


@pytest.mark.parametrize("name", ["feature", "classes"])
def test_a_chart_can_be_read_aloud_and_takes_its_colours_from_the_page(
    drawn: dict[str, str], name: str
) -> None:
    assert re.match(r'<svg role="img" aria-label="[^"]{20,}"', drawn[name])
    assert not colours(drawn[name])
    assert "http" not in drawn[name]
    assert "<script" not in drawn[name]


def test_a_histogram_has_an_area_and_a_line_for_each_window(drawn: dict[str, str]) -> None:
    assert drawn["feature"].count("mark-area role-mark") == 1
    assert drawn["feature"].count("mark-line role-mark") == 2
    assert "differ by up to 40.00 %" in drawn["feature"]
    assert labels(drawn["feature"], "role-axis-title") == ["thickness", "share"]
    assert "40" in labels(drawn["feature"], "role-axis-label")


def test_classes_show_the_shares_of_the_newest_window(drawn: dict[str, str]) -> None:
    assert labels(drawn["classes"], "role-mark") == ["100.00 %", "0.00 %"]
    assert "cat 100.00 % after 50.00 %; dog 0.00 % after 50.00 %" in drawn["classes"]


def test_a_name_from_the_data_cannot_become_markup() -> None:
    bad = '"><script>alert(1)</script>'
    assert "<script" not in charts.classes("label", [bad, "b"], [("w", SHARES)]) + charts.feature(
        bad, [("w", OLD)]
    )
