"""The register: every input once, with its range and where it comes from, as the model takes it."""

from dataclasses import fields

import pytest

from duli.base.errors import DataError
from duli.economics import cost, register
from duli.economics.cashflow import Venture
from tests.economics.facts import plan, run, shipped

FACTS = shipped()
RUN = run()


def entries(facts: object = FACTS, **changes: object) -> list[register.Entry]:
    made, given = plan(**changes), RUN
    return [
        *register.unit_cost(made, facts, given.measured, given.sources),  # type: ignore[arg-type]
        *register.venture(made, facts, given.training_usd, given.sources),  # type: ignore[arg-type]
    ]


def test_the_register_holds_every_input_of_both_models_once() -> None:
    names = [entry["input"] for entry in entries()]
    assert len(set(names)) == len(names)
    by_segment = {"accounts", "account_volume"}  # counted over the segments
    by_mix = {"subscription", "one_time", "services"}
    assert {field.name for field in fields(Venture)} - by_segment - by_mix <= set(names)
    assert {field.name for field in fields(cost.Inputs)} <= set(names)
    assert {
        "segment.education.accounts",
        "segment.education.volume",
        "segment.education.reach",
        "segment.education.win",
    } <= set(names)


def test_every_input_has_a_source_or_is_assumed_and_can_be_drawn() -> None:
    for entry in entries():
        assert entry["source"] or entry["kind"] == "assumed", entry
        assert entry["kind"] != "cited" or entry["url"], entry
        assert (entry["low"] < entry["high"]) == (entry["dist"] != "point"), entry
    drawn = register.uncertain(entries())
    assert drawn["accuracy"].n == 1960
    assert drawn["accuracy"].dist == "beta"
    assert drawn["error"].dist == "lognormal"


def test_an_entry_says_what_its_fact_says() -> None:
    for entry in entries():
        if entry["id"] in FACTS.rows:
            row = FACTS.rows[entry["id"]]
            assert (entry["value"], entry["low"], entry["high"], entry["dist"]) == (
                row.value,
                row.low,
                row.high,
                row.dist,
            ), row.id
            assert (entry["kind"], entry["source"], entry["url"], entry["confidence"]) == (
                row.kind, row.source_title, row.source_url, row.confidence,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("assumptions", "customer.cac", "customer.cost", "no row 'customer.cac' (per customer)"),
        (
            "segments",
            "segment.education.win",
            "segment.education.wins",
            "no row 'segment.education.win' (share)",
        ),
        (
            "staff",
            "services.day_cost,500,300,800,per day,USD",
            "services.day_cost,500,300,800,per day,CNY",
            "is in CNY",
        ),
        (
            "saas",
            "0.085,0.07,0.1,share per year",
            "0.085,0.07,1.1,share per year",
            "column high: 'saas.logo_churn' is above 1",
        ),
        ("saas", "saas.logo_churn", "saas.churn", "no row 'saas.logo_churn'"),
        (
            "staff",
            "team.upkeep,0.5,0.3,0.8,share",
            "team.upkeep,0.5,0.3,0.8,ratio",
            "needed is 'share'; convert it",
        ),
    ],
)
def test_an_input_that_is_missing_or_in_another_unit_is_named(
    file: str, old: str, new: str, said: str
) -> None:
    with pytest.raises(DataError) as error:
        entries(shipped(**{file: f"{old} -> {new}"}))
    assert said in str(error.value)


def test_the_table_has_a_line_an_entry_and_its_flags_in_one_cell() -> None:
    rows = register.table(entries(as_of="2028-01-01"))
    assert {len(row) for row in rows} == {len(register.COLUMNS)}
    flags = {row[0]: row[register.COLUMNS.index("flags")] for row in rows}
    assert flags["maintenance"] == "stale"
    assert flags["price_per_hour"] == "undated wide"


def test_language_models_need_both_their_prices() -> None:
    assert len(register.language_models(FACTS, plan())) == 7
    with pytest.raises(DataError, match=r"no row 'llm\.ministral\.output'"):
        register.language_models(shipped(llm="llm.ministral.output -> llm.ministral.out"), plan())
