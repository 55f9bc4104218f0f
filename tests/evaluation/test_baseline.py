"""Simple models learn what is simple, from each kind of data, and answer the same each time."""

import numpy as np
import pyarrow as pa
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from duli.base.intervals import proportion
from duli.evaluation.judged import Split
from duli.gates import gates
from duli.kinds.image.judging import judge as image
from duli.kinds.table.judging import judge as table
from duli.kinds.text.judging import judge as text
from duli.tasks.classification.comparing import paired as compare
from duli.tasks.classification.judging import baseline

SIZES = (300, 100, 200)


def labels(seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 3, n) for n in SIZES]


def right(features: list[object], of: list[np.ndarray]) -> float:
    found = baseline.linear(features, (of[0], of[1]), (0.1, 10.0))
    again = baseline.linear(features, (of[0], of[1]), (0.1, 10.0))
    assert np.array_equal(found.answers, again.answers)
    assert found.examples == SIZES[0]
    return float((found.answers == of[2]).mean())


def split(inputs: np.ndarray) -> Split:
    return Split(pa.table({}), inputs, np.empty(0), None)  # type: ignore[arg-type]


def test_pixels_that_say_the_class() -> None:
    generator, of = np.random.default_rng(1), labels()
    images = [generator.integers(0, 100, (len(one), 1, 40, 40)).astype(np.uint8) for one in of]
    for some, one in zip(images, of, strict=True):
        some[np.arange(len(one)), 0, 10 * one, 10 * one] += 150
    features = image.features([split(some) for some in images], 3).splits
    assert features[0].shape == (300, 400)  # every second pixel of 40 x 40
    assert right(features, of) > 0.95


def test_numbers_that_say_the_class_also_by_being_missing() -> None:
    generator, of = np.random.default_rng(1), labels()
    rows = [generator.normal(1e6, 1, (len(one), 2)).astype(np.float64) for one in of]
    for some, one in zip(rows, of, strict=True):
        some[:, 0] += 6 * (one == 1)
        some[one == 2, 1] = np.nan
    features = table.features([split(some) for some in rows], 3).splits
    assert features[0].shape == (300, 3)
    assert right(features, of) > 0.95


def test_characters_that_say_the_class() -> None:
    of = labels()
    texts = [
        [f"number {index}: {('很好', '太差', 'so so')[label]}" for index, label in enumerate(one)]
        for one in of
    ]
    contents = [pa.table({"content": [one.encode() for one in some]}) for some in texts]
    splits = [Split(rows, None, one, None) for rows, one in zip(contents, of, strict=True)]  # type: ignore[arg-type]
    assert right(text.features(splits, 3).splits, of) > 0.95


def test_what_says_nothing_is_answered_by_chance() -> None:
    of = labels()
    noise = [
        np.random.default_rng(index).normal(size=(len(one), 4)) for index, one in enumerate(of)
    ]
    assert 0.2 < right(noise, of) < 0.5


def test_one_class_alone_is_always_named() -> None:
    of = [np.full(n, 2) for n in SIZES]
    assert right([np.zeros((n, 2)) for n in SIZES], of) == 1
    assert baseline.majority(np.array([0, 1, 1, 2]), 3).tolist() == [1, 1, 1]


def test_wide_examples_of_many_classes_are_learned_from_in_part_and_the_same_each_time() -> None:
    assert len(baseline.drawn(500, 10, 784)) == 500
    assert len(baseline.drawn(100_000, 10, 784)) == baseline.MOST
    wide = baseline.drawn(100_000, 10, 12_288)
    assert baseline.FEWEST < len(wide) < 2000
    assert np.array_equal(wide, baseline.drawn(100_000, 10, 12_288))
    assert len(np.unique(wide)) == len(wide)


def test_a_gain_is_a_drop_the_other_way_round() -> None:
    truth = np.zeros(100, np.int64)
    simple, model = np.arange(100) % 2, (np.arange(100) % 4 == 3).astype(np.int64)
    gain = compare.gain_points(simple, model, truth)
    assert (gain["n"], gain["lost"], gain["won"]) == (100, 0, 25)
    assert gain["gain_points"]["value"] == pytest.approx(25)
    back = compare.gain_points(model, simple, truth)["gain_points"]
    assert back == pytest.approx(
        {"value": -25, "low": -gain["gain_points"]["high"], "high": -gain["gain_points"]["low"]}
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [((983, 1000), (173, 1000)), ((60, 60), (82, 84)), ((0, 10), (9, 9)), ((50, 100), (5, 10))],
)
def test_the_interval_of_a_gap_is_newcombe_s(one: tuple[int, int], other: tuple[int, int]) -> None:
    found = compare.gap(proportion(*one), proportion(*other))
    low, high = confint_proportions_2indep(*one, *other, method="newcomb")
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-9)


def verdicts(**facts: float) -> dict[str, bool]:
    """What the gates that `duli new` writes say of such an evaluation."""
    gate = gates.Gate
    asked = {
        "majority": gate(measure="evaluation.baseline.majority.gain_points", min=0, on="interval"),
        "linear": gate(measure="evaluation.baseline.linear.gain_points.high", min=0),
        "gap": gate(measure="evaluation.validation_gap.low", max=0.02),
    }
    n = int(facts["n"])
    shares = {
        name: round(facts[name] * n) for name in ("validated", "tested", "majority", "linear")
    }
    answers = {name: (np.arange(n) >= count).astype(np.int64) for name, count in shares.items()}
    truth = np.zeros(n, np.int64)
    report = {
        "validation_gap": compare.gap(
            proportion(shares["validated"], n), proportion(shares["tested"], n)
        ),
        "baseline": {
            name: compare.gain_points(answers[name], answers["tested"], truth)
            for name in ("majority", "linear")
        },
    }
    return {
        one.name: one.passed for one in gates.judge(asked, gates.measures({"evaluation": report}))
    }


def test_gates_hold_what_is_surely_worse_and_nothing_else() -> None:
    good = {"n": 300, "validated": 0.95, "tested": 0.94, "majority": 0.5, "linear": 0.9}
    assert set(verdicts(**good).values()) == {True}
    assert not verdicts(**{**good, "validated": 0.983, "tested": 0.173})["gap"]
    assert not verdicts(**{**good, "linear": 1.0})["linear"]
    assert verdicts(**{**good, "linear": 0.945})["linear"]
    assert not verdicts(**{**good, "majority": 0.935})["majority"]
    assert verdicts(**{**good, "n": 40, "validated": 1.0, "tested": 0.9})["gap"]
