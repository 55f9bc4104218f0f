"""Charts of the evaluation page show the numbers given, fit them on their axes, and need nothing
but the page.
"""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from duli.tasks.classification.judging import charts
from duli.tasks.classification.judging.charts import Score
from tests.reporting.charts import labels

SCORES = [Score("a", 0.9, 0.85, 0.95), Score("b", 0.5, 0.4, 0.6)]
BINS = [
    {"confidence": 0.8, "accuracy": 0.7, "accuracy_low": 0.6, "accuracy_high": 0.8, "examples": 50},
    {
        "confidence": 0.99,
        "accuracy": 1.0,
        "accuracy_low": 0.93,
        "accuracy_high": 1.0,
        "examples": 50,
    },
]
CURVE = [
    {
        "threshold": 0.9,
        "coverage": 0.01,
        "accuracy": 1.0,
        "accuracy_low": 0.2,
        "accuracy_high": 1.0,
    },
    {
        "threshold": 0.6,
        "coverage": 0.5,
        "accuracy": 0.99,
        "accuracy_low": 0.97,
        "accuracy_high": 0.995,
    },
    {
        "threshold": 0.1,
        "coverage": 1.0,
        "accuracy": 0.95,
        "accuracy_low": 0.94,
        "accuracy_high": 0.96,
    },
]


def share(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {
        "scores": charts.scores(
            SCORES, "share of right answers", "s", start=0.4, reference=0.8, ranked=True
        ),
        "confusion": charts.confusion([[9, 1], [0, 1_234]], ["a", "b"]),
        "reliability": charts.reliability(BINS),
        "risk_coverage": charts.risk_coverage(CURVE, (0.9, 0.02)),
        "attack": charts.attack(
            [0, 8], {"trained": [share(0.9), share(0.2)], "shipped": [share(0.9), share(0.3)]}
        ),
    }


NAMES = pytest.mark.parametrize(
    "name", ["scores", "confusion", "reliability", "risk_coverage", "attack"]
)


def test_scores_stand_in_order_with_their_numbers(drawn: dict[str, str]) -> None:
    assert labels(drawn["scores"], "role-mark") == ["50.00 %", "90.00 %"]
    assert [name for name in labels(drawn["scores"], "role-axis-label") if name in "ab"] == [
        "b",
        "a",
    ]
    given_order = charts.scores(SCORES, "unit", "s", start=0.4)
    assert labels(given_order, "role-mark") == ["90.00 %", "50.00 %"]


def test_few_classes_fill_the_room_so_that_their_letters_are_no_larger_than_other_charts(
    drawn: dict[str, str],
) -> None:
    """The page makes every chart as wide as its place, at most 480 px, and its letters with it."""

    def width(chart: str) -> float:
        return float(re.search(r'viewBox="0 0 ([\d.]+)', chart).group(1))  # type: ignore[union-attr]

    assert width(drawn["confusion"]) > 0.8 * width(drawn["reliability"])
    many = charts.confusion([[1] * 10] * 10, ["complaint"] * 10)
    assert width(many) < 480
    assert "rotate(300" in many
    assert "rotate(300" not in charts.confusion([[9, 1], [0, 4]], ["complaint", "praise"])


def test_large_counts_stay_in_their_cells() -> None:
    names = [str(name) for name in range(10)]
    chart = charts.confusion([[1_000_000] * 10] * 10, names)
    cells = sorted(
        {float(left) for left in re.findall(r'<path[^>]*d="M([\d.]+),[^>]*fill="var', chart)}
    )
    # nine characters of about six pixels
    assert min(right - left for left, right in pairwise(cells)) > 54


def test_the_confusion_matrix_holds_the_counts_and_mistakes_are_red(drawn: dict[str, str]) -> None:
    assert [text for text in labels(drawn["confusion"], "role-mark") if text] == ["9", "1", "1,234"]
    cells = re.findall(
        r'<path[^>]*d="M[^>]*fill="(var\(--(?:bad|band)\))"[^>]*?fill-opacity="([\d.]+)"',
        drawn["confusion"],
    )
    assert [(colour, float(opacity) > 0) for colour, opacity in cells] == [
        ("var(--band)", True),
        ("var(--bad)", True),
        ("var(--bad)", False),
        ("var(--band)", True),
    ]


def test_without_an_operating_point_there_is_no_diamond(drawn: dict[str, str]) -> None:
    without = charts.risk_coverage(CURVE, None)
    assert drawn["risk_coverage"].count("mark-symbol role-mark") == 1
    assert without.count("mark-symbol role-mark") == 0


@NAMES
def test_a_chart_can_be_read_aloud_and_names_its_axes(drawn: dict[str, str], name: str) -> None:
    assert re.match(r'<svg role="img" aria-label="[^"]{20,}"', drawn[name])
    titles = {"scores": 1, "confusion": 2, "reliability": 2, "risk_coverage": 2, "attack": 2}
    assert len(labels(drawn[name], "role-axis-title")) == titles[name]


@NAMES
def test_a_chart_takes_its_colours_from_the_page_and_asks_nobody_for_anything(
    drawn: dict[str, str], name: str
) -> None:
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', drawn[name]))
    assert colours <= {"none", "transparent"} | {
        colour for colour in colours if colour.startswith(("var(--", "url(#"))
    }, colours
    assert "http" not in drawn[name]
    assert "<script" not in drawn[name]


def test_the_same_numbers_give_the_same_bytes(drawn: dict[str, str]) -> None:
    assert charts.reliability(BINS) == drawn["reliability"]
    assert charts.risk_coverage(CURVE, (0.9, 0.02)) == drawn["risk_coverage"]


def test_a_name_from_the_data_cannot_become_markup() -> None:
    bad = '"><script>alert(1)</script>'
    assert "<script" not in charts.scores(
        [Score(bad, 0.5, 0.4, 0.6)], "unit", "s", start=0
    ) + charts.confusion([[1]], [bad])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
@example([1.0])
@example([1 - 2**-53])
def test_an_axis_begins_below_all_intervals_at_a_round_number(lows: list[float]) -> None:
    start = charts.start([Score("", 1, low, 1) for low in lows])
    assert 0 <= start < 1
    assert start <= min(lows) + 1e-9


def test_perfect_and_single_values_are_drawn() -> None:
    perfect = [
        {
            "confidence": 1.0,
            "accuracy": 1.0,
            "accuracy_low": 1.0,
            "accuracy_high": 1.0,
            "examples": 1,
        }
    ]
    assert charts.reliability(perfect).startswith("<svg")
    assert charts.confusion([[5]], ["only"]).startswith("<svg")
    curve = [
        {
            "threshold": 1.0,
            "coverage": 1.0,
            "accuracy": 1.0,
            "accuracy_low": 1.0,
            "accuracy_high": 1.0,
        }
    ]
    assert charts.risk_coverage(curve, (1.0, 0.0)).startswith("<svg")
