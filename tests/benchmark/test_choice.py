"""The rule of the choice, for any variants there may be, and the rows of accuracy against cost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.benchmark.choice import Candidate, choose, pareto
from duli.tasks.classification.task import SCORE

NAMES = ("int8", "int8_dynamic", "fp16", "narrow_int8", "aware_int8")
COSTS = st.none() | st.floats(0.05, 5) | st.sampled_from([math.nan, math.inf, 0.0, 1.0, 1.02])
CANDIDATES = st.builds(
    Candidate,
    cost=COSTS,
    spread=st.floats(0, 0.5) | st.just(math.nan),
    bytes=st.integers(1, 20).map(lambda kilo: kilo * 1000),
    refused=st.none() | st.just("lost too much"),
)
FULL = st.builds(
    Candidate,
    cost=st.just(1.0),
    spread=st.floats(0, 0.5),
    bytes=st.integers(1, 20).map(lambda kilo: kilo * 1000),
)
VARIANTS = st.builds(
    lambda others, full: {**others, "fp32": full},
    st.dictionaries(st.sampled_from(NAMES), CANDIDATES),
    FULL,
)
TIES = st.floats(0, 0.5)


def measured(one: Candidate) -> bool:
    return (
        one.cost is not None
        and math.isfinite(one.cost)
        and one.cost > 0
        and math.isfinite(one.spread)
    )


def noise(one: Candidate, other: Candidate, tie: float) -> float:
    return 1 + max(tie, one.spread, other.spread)


@given(VARIANTS, TIES)
def test_what_ships_is_within_bounds_and_measured(
    variants: dict[str, Candidate], tie: float
) -> None:
    shipped, _ = choose(variants, tie)
    assert variants[shipped].refused is None
    assert measured(variants[shipped])


@given(VARIANTS, TIES)
def test_what_ships_is_tied_with_the_cheapest_allowed(
    variants: dict[str, Candidate], tie: float
) -> None:
    shipped, _ = choose(variants, tie)
    one = variants[shipped]
    allowed = [other for other in variants.values() if other.refused is None and measured(other)]
    cheapest = min(allowed, key=lambda other: (other.cost, other.bytes))
    assert one.cost <= cheapest.cost * noise(one, cheapest, tie)


@given(VARIANTS, TIES)
def test_nothing_allowed_beats_what_ships(variants: dict[str, Candidate], tie: float) -> None:
    """Nor is there a smaller one that is tied as surely with the cheapest."""
    shipped, _ = choose(variants, tie)
    one = variants[shipped]
    allowed = [other for other in variants.values() if other.refused is None and measured(other)]
    assert not any(other.cost < one.cost and other.bytes <= one.bytes for other in allowed)
    cheapest = min(allowed, key=lambda other: (other.cost, other.bytes))
    assert not any(
        other.bytes < one.bytes and other.cost <= cheapest.cost * (1 + tie) for other in allowed
    )


@given(VARIANTS, TIES)
def test_dearer_than_fp32_ships_only_if_it_is_smaller_and_within_the_noise(
    variants: dict[str, Candidate], tie: float
) -> None:
    shipped, _ = choose(variants, tie)
    one, full = variants[shipped], variants["fp32"]
    if shipped != "fp32" and one.cost >= full.cost:
        assert one.bytes < full.bytes
        # The cheapest may have a spread of its own: the largest of all is then the bound.
        assert one.cost <= full.cost * (
            1 + max(tie, *(other.spread for other in variants.values() if measured(other)))
        )


@given(VARIANTS, TIES, st.randoms(use_true_random=False))
def test_the_order_of_the_variants_changes_nothing(
    variants: dict[str, Candidate], tie: float, random: object
) -> None:
    items = list(variants.items())
    random.shuffle(items)
    assert choose(dict(items), tie) == choose(variants, tie)


@given(VARIANTS, TIES)
def test_the_reason_names_each_refused_variant_once_in_one_sentence(
    variants: dict[str, Candidate], tie: float
) -> None:
    shipped, reason = choose(variants, tie)
    assert reason.startswith(f"{shipped} ships")
    assert "\n" not in reason
    refused = reason.split("refused: ")[1].split(";")[0] if "refused: " in reason else ""
    assert sorted(part.split(" ")[0] for part in refused.split(", ") if part) == sorted(
        name for name, one in variants.items() if one.refused is not None
    )


def variants(**others: Candidate) -> dict[str, Candidate]:
    return {"fp32": Candidate(1.0, 0.01, 288_000), **others}


def test_the_cheapest_ships_and_the_reason_says_what_it_saves() -> None:
    shipped, reason = choose(
        variants(int8=Candidate(0.43, 0.02, 72_000), fp16=Candidate(0.9, 0.02, 144_000)), 0.05
    )
    assert shipped == "int8"
    assert (
        reason
        == "int8 ships: a prediction costs 0.43 of one of fp32 and the file is 4.0 times smaller,"
        " the cheapest within the bounds"
    )


def test_of_the_tied_the_smallest_ships() -> None:
    rivals = variants(
        int8=Candidate(0.43, 0.02, 76_000), narrow_int8=Candidate(0.437, 0.02, 30_000)
    )
    assert choose(rivals, 0.05)[0] == "narrow_int8"
    assert "tied with the cheapest, int8 (0.43), within 5%" in choose(rivals, 0.05)[1]
    assert choose(rivals, 0.01)[0] == "narrow_int8", (
        "2 % of noise are still more than the difference"
    )
    assert (
        choose(
            variants(int8=Candidate(0.43, 0.02, 76_000), narrow_int8=Candidate(0.5, 0.02, 30_000)),
            0.05,
        )[0]
        == "int8"
    )


def test_a_restless_variant_that_is_dearer_and_larger_than_fp32_does_not_ship() -> None:
    """It is within its own noise of the cheapest, and smaller than that one."""
    rivals = {
        "fp32": Candidate(1.0, 0.01, 100),
        "restless": Candidate(1.3, 0.5, 120),
        "large": Candidate(0.9, 0.01, 130),
    }
    assert choose(rivals, 0.05)[0] == "large"


def test_of_two_that_are_the_same_it_is_always_the_same_one() -> None:
    twins = {
        "int8": Candidate(0.4, 0.0, 10),
        "aware_int8": Candidate(0.4, 0.0, 10),
        "fp32": Candidate(1.0, 0.0, 40),
    }
    assert choose(twins, 0.05) == choose(dict(reversed(twins.items())), 0.05)
    assert (
        choose({"int8": Candidate(1.0, 0.0, 40), "fp32": Candidate(1.0, 0.0, 40)}, 0.05)[0]
        == "fp32"
    )


def test_an_honest_no_where_nothing_is_cheaper() -> None:
    shipped, reason = choose(
        variants(int8=Candidate(1.3, 0.02, 76_000), sparse_fp32=Candidate(1.0, 0.02, 288_000)), 0.05
    )
    assert shipped == "fp32"
    assert "an honest no" in reason
    assert "int8 costs 1.30 times as much" in reason


def test_refused_variants_are_told_with_their_reason_and_never_ship() -> None:
    refused = Candidate(
        0.1, 0.0, 10_000, "narrow_int8 lost 40 of 4,894 validation examples, more than allowed"
    )
    shipped, reason = choose(variants(narrow_int8=refused), 0.05)
    assert shipped == "fp32"
    assert reason.endswith(
        "refused: narrow_int8 (lost 40 of 4,894 validation examples, more than allowed)"
    )


@pytest.mark.parametrize("cost", [None, math.nan, math.inf, 0.0])
def test_what_was_not_measured_never_wins_and_is_named(cost: float | None) -> None:
    shipped, reason = choose(variants(int8=Candidate(cost, 0.0, 10)), 0.05)
    assert shipped == "fp32"
    assert reason.endswith("not measured: int8")
    assert (
        choose({"fp32": Candidate(math.nan, 0.0, 10), "int8": Candidate(0.1, 0.0, 5)}, 0.05)[0]
        == "fp32"
    )


def facts(accuracy: float) -> dict[str, dict[str, float]]:
    return {
        "validation_accuracy": {
            "value": accuracy,
            "low": accuracy - 0.01,
            "high": accuracy + 0.005,
        },
        "latency_ms": {"value": 0.05},
        "peak_mb": {"value": 90.0},
    }


def test_the_front_of_accuracy_against_cost() -> None:
    candidates = variants(
        int8=Candidate(0.4, 0.0, 76_000),
        slow=Candidate(1.2, 0.0, 50_000),
        cheap=Candidate(0.2, 0.0, 9_000, "too inaccurate"),
    )
    accuracies = {"fp32": 0.99, "int8": 0.985, "slow": 0.985, "cheap": 0.9}
    rows = pareto(candidates, {name: facts(one) for name, one in accuracies.items()}, "int8", SCORE)
    assert [row["variant"] for row in rows] == ["cheap", "int8", "fp32", "slow"]
    assert {row["variant"]: row["front"] for row in rows} == {
        "cheap": True,
        "int8": True,
        "fp32": True,
        "slow": False,
    }
    assert {row["variant"] for row in rows if not row["within_bounds"]} == {"cheap"}
    assert {row["variant"] for row in rows if row["shipped"]} == {"int8"}
    assert rows[1]["latency_us"] == 50
