"""Charts of the benchmark page show what the choice looked at, and no label lies on another."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.reporting.benchmark import charts
from duli.reporting.benchmark.charts import Variant
from tests.reporting.charts import labels

VARIANTS = [
    Variant("fp32", 1.0, 0.0, 0.0, 0.0, "allowed", front=False),
    Variant("int8", 0.36, 0.01, -0.04, 0.06, "shipped", front=True),
    Variant("narrow_int8", 0.27, -0.15, -0.34, 0.02, "refused", front=False),
]
CURVES = {
    "int8": [{"batch": 1, "per_second": 29_000.0}, {"batch": 64, "per_second": 48_000.0}],
    "fp32": [{"batch": 1, "per_second": 13_000.0}, {"batch": 64, "per_second": 47_900.0}],
    "PyTorch": [{"batch": 1, "per_second": 2_500.0}, {"batch": 64, "per_second": 10_000.0}],
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {"pareto": charts.pareto(VARIANTS, 0.2), "throughput": charts.throughput(CURVES, "int8")}


NAMES = pytest.mark.parametrize("name", ["pareto", "throughput"])


def test_every_variant_is_named_and_told(drawn: dict[str, str]) -> None:
    assert labels(drawn["pareto"], "role-mark") == ["fp32", "int8", "narrow_int8"]
    assert "narrow_int8 costs 0.27 and is -0.15 points from fp32, refused" in drawn["pareto"]


def test_what_ships_looks_unlike_the_rest(drawn: dict[str, str]) -> None:
    assert drawn["pareto"].count('fill="var(--accent)"') == 2  # its mark and its name
    assert drawn["throughput"].count('fill="var(--accent)"') == 3  # its two points and its name


def test_every_contestant_ends_in_its_name(drawn: dict[str, str]) -> None:
    assert labels(drawn["throughput"], "role-mark") == ["int8", "fp32", "PyTorch"]


@NAMES
def test_a_chart_needs_nothing_but_the_page(drawn: dict[str, str], name: str) -> None:
    assert "http" not in drawn[name]
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', drawn[name]))
    assert colours <= {"none", "transparent"} | {
        colour for colour in colours if colour.startswith("var(--")
    }, colours


def test_the_same_numbers_give_the_same_bytes(drawn: dict[str, str]) -> None:
    assert charts.pareto(VARIANTS, 0.2) == drawn["pareto"]


SPOTS = st.lists(
    st.tuples(
        st.floats(0, charts.WIDTH),
        st.floats(0, charts.HEIGHT),
        st.sampled_from(["fp32", "int8_dynamic"]),
    ),
    max_size=8,
)


@given(SPOTS)
def test_no_label_lies_on_another(spots: list[tuple[float, float, str]]) -> None:
    places = charts._beside([(x, y) for x, y, _ in spots], [text for *_, text in spots])
    boxes = []
    for (x, y, text), (dx, dy, align) in zip(spots, places, strict=True):
        wide = charts.LETTERS * len(text)
        boxes.append((x + dx if align == "left" else x + dx - wide, y + dy, wide))
    for index, (left, height, wide) in enumerate(boxes):
        for other_left, other_height, other_wide in boxes[:index]:
            apart = (
                left >= other_left + other_wide
                or other_left >= left + wide
                or abs(height - other_height) >= charts.ROW - 1e-9
            )
            assert apart, boxes


@given(st.lists(st.floats(0, charts.HEIGHT), max_size=6))
def test_names_at_the_ends_of_lines_keep_their_order_and_a_row_between(
    heights: list[float],
) -> None:
    moved = sorted(
        (height, height + offset)
        for height, offset in zip(heights, charts._apart(heights), strict=True)
    )
    assert all(after[1] - before[1] >= charts.ROW - 1e-9 for before, after in pairwise(moved))
