"""The whole report's figures from made-up measurements: what holds between them, whatever
they are.
"""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duli.base.errors import DataError
from duli.economics import business as module
from duli.economics.business import business
from tests.economics.facts import plan, run, shipped

FACTS = shipped()


def figures(**changes: Any) -> dict[str, Any]:
    return business(plan(**changes), FACTS, run()).figures


@pytest.fixture(scope="module")
def usual() -> dict[str, Any]:
    return figures()


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: leaf
        for inner, deeper in value.items()
        for key, leaf in leaves(deeper, f"{name}.{inner}" if name else inner).items()
    }


def test_every_number_that_is_missing_has_its_reason_and_no_other(usual: dict[str, Any]) -> None:
    missing = {name for name, leaf in leaves(usual).items() if leaf is None}
    assert missing == {entry["key"] for entry in usual["reasons"]}
    assert missing  # this plan loses money, so there is something to explain
    assert all(math.isfinite(leaf) for leaf in leaves(usual).values() if isinstance(leaf, float))


@settings(deadline=None, max_examples=15)
@given(
    mode=st.sampled_from(["review", "abstain"]),
    months=st.integers(1, 60),
    rate=st.floats(0, 1),
    price=st.floats(1e-3, 100),
    licence=st.floats(1, 1e7),
    days=st.floats(1, 1e5),
    utilisation=st.floats(0.01, 1),
    instances=st.integers(0, 50),
    subscription=st.floats(0, 1),
    draws=st.integers(100, 300),
    volume=st.floats(1, 1e12),
)
def test_whatever_is_planned_every_number_is_finite_or_explained(
    mode: str,
    months: int,
    rate: float,
    price: float,
    licence: float,
    days: float,
    utilisation: float,
    instances: int,
    subscription: float,
    draws: int,
    volume: float,
) -> None:
    found = figures(
        below_threshold=mode,
        horizon_months=months,
        discount_rate=rate,
        price_per_1000=price,
        licence=licence,
        day_rate=days,
        utilisation=utilisation,
        instances=instances,
        draws=draws,
        volume_per_month=volume,
        mix={"subscription": subscription, "one_time": 1 - subscription, "services": 0.0},
    )
    missing = {name for name, leaf in leaves(found).items() if leaf is None}
    assert missing == {entry["key"] for entry in found["reasons"]}
    assert all(
        math.isfinite(leaf) for leaf in leaves(found).values() if isinstance(leaf, int | float)
    )
    json.dumps(
        {key: value for key, value in found.items() if isinstance(value, list)}, allow_nan=False
    )


def test_percentiles_are_in_order(usual: dict[str, Any]) -> None:
    found = leaves(usual)
    for name in [name.removesuffix(".p10") for name in found if name.endswith(".p10")]:
        ends = [found[f"{name}.{share}"] for share in ("p10", "p50", "p90")]
        known = [end for end in ends if end is not None]
        assert known == sorted(known), name


def test_the_ways_to_sell_make_up_the_mix(usual: dict[str, Any]) -> None:
    """Revenue is linear in the shares: six, two and two tenths of what each would bring alone."""
    alone = [
        usual["models"][name]["revenue_usd"]["value"]
        for name in ("subscription", "one_time", "services")
    ]
    assert usual["investment"]["revenue_usd"]["value"] == pytest.approx(
        0.6 * alone[0] + 0.2 * alone[1] + 0.2 * alone[2]
    )
    only = figures(mix={"subscription": 0.0, "one_time": 1.0, "services": 0.0})
    assert (
        only["investment"]["npv_usd"]
        == only["models"]["one_time"]["npv_usd"]
        == usual["models"]["one_time"]["npv_usd"]
    )


def test_the_cash_flow_sums_to_the_worth(usual: dict[str, Any]) -> None:
    rows, rate = usual["cashflow"], 1.15 ** (1 / 12) - 1
    assert len(rows) == 37
    assert sum(row["net"] / (1 + rate) ** row["month"] for row in rows) == pytest.approx(
        usual["investment"]["npv_usd"]["value"], rel=1e-9
    )
    assert rows[-1]["cumulative"] == pytest.approx(sum(row["net"] for row in rows))
    assert usual["investment"]["funding_usd"]["value"] == pytest.approx(
        -min(row["cumulative"] for row in rows)
    )


def test_what_would_have_to_be_true_makes_the_plan_worth_nothing(usual: dict[str, Any]) -> None:
    price = usual["required"]["price_usd_per_million"]
    assert price > 1200
    assert figures(price_per_1000=price / 1000)["investment"]["npv_usd"]["value"] == pytest.approx(
        0, abs=1e-3
    )
    factor = usual["required"]["som_accounts"] / usual["market"]["som_accounts"]
    more = business(plan(), _more_accounts(factor), run()).figures
    assert more["investment"]["npv_usd"]["value"] == pytest.approx(0, abs=1e-3)
    assert [condition["met"] for condition in usual["conditions"]][:3] == [False, None, False]


def _more_accounts(factor: float) -> Any:
    from dataclasses import replace

    from duli.economics.market import Market

    rows = dict(FACTS.rows)
    for name in rows:
        if name.startswith("segment.") and name.endswith(".accounts"):
            rows[name] = replace(
                rows[name], value=factor * rows[name].value, high=factor * rows[name].high
            )
    return Market(rows)


def test_at_a_high_price_customers_and_errors_may_cost_more_up_to_a_limit() -> None:
    dear = figures(price_per_1000=12.0)
    assert dear["investment"]["npv_usd"]["value"] > 0
    assert dear["investment"]["npv_positive_probability"] > 0.5
    assert dear["required"]["cac_usd"] > 5000
    assert dear["required"]["error_usd"] > 0.1
    assert dear["required"]["price_usd_per_million"] < 12_000
    assert 0 < dear["investment"]["payback_months"]["value"] <= 36
    assert {condition["met"] for condition in dear["conditions"]} <= {True, None}


def test_all_variance_comes_from_what_is_assumed_or_from_the_rest(usual: dict[str, Any]) -> None:
    assert 0.5 < usual["investment"]["npv_variance_from_assumed"] <= 1
    assert sum(row["first"] for row in usual["sobol"]) < 1.3
    kinds = {entry["input"]: entry for entry in usual["register"]}
    assert {row["input"] for row in usual["tornado"]} == {
        name for name, entry in kinds.items() if entry["low"] < entry["high"]
    } - {"fx"}
    unused = next(row for row in usual["tornado"] if row["input"] == "review")
    abstaining = next(
        row for row in figures(below_threshold="abstain")["tornado"] if row["input"] == "review"
    )
    assert unused["at_low"] != unused["at_high"]
    assert abstaining["at_low"] == abstaining["at_high"]


def test_the_market_narrows_from_the_published_size_to_what_can_be_won(
    usual: dict[str, Any],
) -> None:
    found = usual["market"]
    assert (
        0
        < found["som_usd_per_year"]
        <= found["sam_usd_per_year"]
        <= found["tam_usd_per_year"]["low"]
        < found["tam_usd_per_year"]["high"]
    )
    assert (
        sum(row["som_accounts"] for row in found["segments"])
        == pytest.approx(found["som_accounts"])
        == pytest.approx(134)
    )


def test_segments_larger_than_the_market_are_refused() -> None:
    with pytest.raises(
        DataError,
        match=(
            r"more than the smallest published size of size\.ocr .*correct their accounts or"
            r" volumes"
        ),
    ):
        figures(price_per_1000=500.0)


def test_the_shipped_file_is_set_beside_the_other_and_the_champion() -> None:
    champion = {
        f"business.{name}.value": value
        for name, value in (("throughput_per_second", 3500.0), ("coverage", 0.9))
    }
    known = champion | {"business.accuracy_of_accepted.value": 0.99}
    found = business(plan(), FACTS, run(champion=known)).figures["variants"]
    assert found["fp32"]["compute_usd_per_million"] == pytest.approx(
        2 * found["shipped"]["compute_usd_per_million"]
    )
    assert found["champion"]["compute_usd_per_million"] == pytest.approx(
        4 * found["shipped"]["compute_usd_per_million"]
    )
    assert found["champion"]["errors_usd_per_million"] == pytest.approx(0.9 * 0.01 * 0.1 * 1e6)
    assert "champion" not in business(plan(), FACTS, run(champion=champion)).figures["variants"]


def test_the_shipped_variant_costs_what_the_release_does(usual: dict[str, Any]) -> None:
    shipped_cost = usual["variants"]["shipped"]["unit_cost_usd_per_million"]
    assert shipped_cost == pytest.approx(usual["unit_cost_usd_per_million"]["value"])
    assert (
        usual["modes"]["review"]["unit_cost_usd_per_million"]
        == usual["unit_cost_usd_per_million"]["value"]
    )
    assert usual["threshold"]["in_use_usd_per_million"] == pytest.approx(shipped_cost)
    assert usual["threshold"]["cheapest_usd_per_million"] <= shipped_cost


def test_where_nothing_is_accepted_a_price_for_accepting_is_refused() -> None:
    nothing = run()
    nothing.measured["coverage"].update(value=0.0, low=0.0, high=0.001)  # type: ignore[index]
    reviewing = business(plan(), FACTS, nothing).figures
    assert reviewing["modes"]["abstain"]["unit_cost_usd_per_million"] is None
    assert "modes.abstain.unit_cost_usd_per_million" in {
        entry["key"] for entry in reviewing["reasons"]
    }
    with pytest.raises(DataError, match="no prediction is accepted"):
        business(plan(below_threshold="abstain"), FACTS, nothing)


def test_energy_by_hand(usual: dict[str, Any]) -> None:
    """40 s of two cores at 12 W and 16 GiB at 0.3725 W, PUE 1.56; 369.5 g of carbon a kWh."""
    kwh = 40 / 3600 * (2 * 12 + 16 * 0.3725) * 1.56 / 1000
    assert usual["energy"]["training_kwh"]["value"] == pytest.approx(kwh)
    assert usual["energy"]["training_co2_g"]["value"] == pytest.approx(kwh * 369.5)
    assert usual["energy"]["kwh_per_million"]["value"] == pytest.approx(kwh / 40 * 1e6 / 14_000)
    assert usual["energy"]["electricity_usd_per_million"] == pytest.approx(
        kwh / 40 * 1e6 / 14_000 * 0.146
    )
    for numbers in usual["energy"].values():
        assert not isinstance(numbers, dict) or numbers["low"] < numbers["value"] < numbers["high"]


def test_a_language_model_is_priced_by_its_tokens(usual: dict[str, Any]) -> None:
    """400 tokens at 0.15 and 5 at 0.60 USD per million tokens, a million times."""
    found = {row["id"]: row["usd_per_million"] for row in usual["language_models"]}
    assert found["llm.mistral_small"] == pytest.approx(400 * 0.15 + 5 * 0.60)
    assert all(
        row["usd_per_million_low"] < row["usd_per_million"] < row["usd_per_million_high"]
        for row in usual["language_models"]
    )


def test_a_currency_converts_the_pages_and_not_the_figures(usual: dict[str, Any]) -> None:
    yuan = figures(currency="CNY")
    assert usual["currency_per_usd"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert yuan["currency_per_usd"]["value"] == pytest.approx(7.1)
    assert yuan["investment"] == usual["investment"]


def test_a_training_without_a_price_is_taken_as_nothing_and_says_so() -> None:
    made = business(plan(), FACTS, run(training_usd=None))
    entry = next(entry for entry in made.register if entry["input"] == "training")
    assert (entry["value"], entry["kind"]) == (0.0, "assumed")
    assert (entry["note"], entry["note_zh"]) == ("no price", "没有价格")
    assert made.figures["energy"]["training_kwh"]["value"] is None
    assert "energy.training_kwh.value" in {reason["key"] for reason in made.figures["reasons"]}
    assert made.figures["energy"]["kwh_per_million"]["value"] > 0


def test_weak_facts_are_counted(usual: dict[str, Any]) -> None:
    later = figures(as_of="2028-01-01")["market_facts"]
    assert usual["market_facts"]["rows"] == len(FACTS.rows) == later["rows"]
    assert later["stale"] > usual["market_facts"]["stale"] > 0
    assert usual["market_facts"]["conflicting"] >= 3


def test_the_same_inputs_give_the_same_bytes_and_another_seed_does_not() -> None:
    first, again, other = (json.dumps(figures(seed=seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_a_competitor_of_whom_nothing_is_said_is_refused() -> None:
    facts = shipped(competitors="competitor.tesseract.on_premise -> competitor.nobody.colour")
    with pytest.raises(DataError, match=r"competitor\.nobody.*on_premise"):
        business(plan(), facts, run())


def test_known_competitors_have_their_public_price(usual: dict[str, Any]) -> None:
    listed = {row["name"]: row for row in usual["competitors"]["listed"]}
    assert listed["google_cloud_vision"]["usd_per_million"] == pytest.approx(1500)
    assert listed["tesseract"]["usd_per_million"] is None
    assert usual["competitors"]["on_premise_share"] == pytest.approx(4 / 7)


def test_the_lifetime_rule_is_four_times_the_computing(usual: dict[str, Any]) -> None:
    found = usual["investment"]
    assert found["required_revenue_usd"] == pytest.approx(
        module.LIFETIME_REVENUE * found["compute_usd"]["value"]
    )
