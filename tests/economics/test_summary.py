"""The figures of the report: each with its range, a reason where there is none, and how much of it
is assumed.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.economics import cost, summary
from tests.economics.test_cost import TYPICAL

RANGES = {"review": (0.012, 0.035), "error": (0.02, 0.5), "coverage": (0.97, 0.99)}
TEAM = (30_000.0, 15_000.0, 60_000.0)
KINDS = dict.fromkeys((name for names in summary.PARTS.values() for name in names), "measured")


def test_every_figure_lies_within_its_range() -> None:
    figures = summary.economics(TYPICAL, RANGES, "review", 2500.0, TEAM)
    for name, figure in figures.items():
        if name not in ("reasons", "cost_usd_per_million"):
            assert figure["low"] < figure["value"] < figure["high"], name
    assert sum(figures["cost_usd_per_million"].values()) == pytest.approx(
        figures["unit_cost_usd_per_million"]["value"]
    )
    assert figures["reasons"] == []


def test_a_price_below_the_variable_cost_has_no_break_even_but_a_reason() -> None:
    figures = summary.economics(TYPICAL, RANGES, "review", 100.0, TEAM)
    assert figures["break_even_answers_per_month"] == {"value": None, "low": None, "high": None}
    assert {entry["key"] for entry in figures["reasons"]} >= {
        "break_even_answers_per_month.value",
        "break_even_answers_per_month.high",
    }
    assert figures["gross_margin"]["value"] < 0


def test_the_range_of_the_team_moves_only_what_the_team_is_paid_from() -> None:
    narrow = summary.economics(TYPICAL, RANGES, "review", 2500.0, (30_000.0, 30_000.0, 30_000.0))
    wide = summary.economics(TYPICAL, RANGES, "review", 2500.0, TEAM)
    assert wide["break_even_answers_per_month"] == narrow["break_even_answers_per_month"]
    assert (
        wide["break_even_with_team_answers_per_month"]["high"]
        > narrow["break_even_with_team_answers_per_month"]["high"]
    )
    assert (
        wide["break_even_price_with_team_usd_per_million"]["low"]
        < narrow["break_even_price_with_team_usd_per_million"]["low"]
    )


def test_movers_carry_the_cost_at_both_ends() -> None:
    first, *_ = movers = summary.movers(TYPICAL, RANGES, "review")
    assert [mover["input"] for mover in movers] == ["coverage", "error", "review"] or len(
        movers
    ) == 3
    ends = [
        cost.unit_cost(replace(TYPICAL, **{first["input"]: first[end]}), "review").total
        for end in ("low", "high")
    ]
    assert ends == [first["cost_at_low"], first["cost_at_high"]]


@pytest.mark.parametrize(
    ("weak", "kind", "expected"),
    [
        ("error", "assumed", {"errors": "assumed"}),
        ("review", "cited", {"review": "cited"}),
        ("coverage", "assumed", {"review": "assumed", "errors": "assumed"}),
    ],
)
def test_a_part_is_as_well_founded_as_its_weakest_input(
    weak: str, kind: str, expected: dict[str, str]
) -> None:
    assert (
        summary.kinds(KINDS | {weak: kind}) == dict.fromkeys(summary.PARTS, "measured") | expected
    )


@given(
    st.dictionaries(st.sampled_from(sorted(summary.PARTS)), st.floats(0, 1e6), min_size=5),
    st.lists(st.sampled_from(summary.WEAKEST_FIRST), min_size=5, max_size=5),
)
def test_the_assumed_share_is_a_share(parts: dict[str, float], kinds: list[str]) -> None:
    share = summary.assumed_share(parts, dict(zip(parts, kinds, strict=True)))
    assert 0 <= share <= 1 + 1e-12
    assert summary.assumed_share(parts, dict.fromkeys(parts, "measured")) == 0
    assert summary.assumed_share(parts, dict.fromkeys(parts, "assumed")) == (
        1 if sum(parts.values()) else 0
    )
