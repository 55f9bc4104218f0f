"""Slices: what is measured of images, how groups are cut, and what is judged of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.kinds.image.judging.looks import looks as looks_of
from duli.tasks.classification.judging import slices
from duli.tasks.classification.judging.slices import Groups


def bar(width: int, height: int = 40, channels: int = 1) -> np.ndarray:
    """One image with a vertical stroke as wide as said, from its upper to its lower edge."""
    image = np.zeros((1, channels, height, 40), np.uint8)
    image[..., 10 : 10 + width] = 255
    return image


@pytest.mark.parametrize("width", [1, 3, 6])
def test_thickness_of_a_long_stroke(width: int) -> None:
    assert looks_of(bar(width, height=400))["thickness"][0] == pytest.approx(width, rel=0.02)


def test_brightness_and_contrast_by_hand() -> None:
    looks = looks_of(bar(10, channels=3))
    assert looks["brightness"][0] == pytest.approx(0.25)
    assert looks["contrast"][0] == pytest.approx((0.25 * 0.75) ** 0.5)


@pytest.mark.parametrize("value", [0, 255])
def test_images_of_one_colour(value: int) -> None:
    looks = looks_of(np.full((2, 1, 8, 8), value, np.uint8))
    assert np.isfinite(looks["thickness"]).all()
    assert looks["contrast"].tolist() == [0.0, 0.0]


@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.5, 7.0, 9.0]), min_size=1, max_size=60),
    parts=st.integers(2, 6),
)
def test_quantiles_hold_each_example_once_and_in_order(values: list[float], parts: int) -> None:
    groups = slices.by_quantile(np.array(values), parts)
    if isinstance(groups, str):
        # too many equal ones to cut
        assert np.quantile(values, (parts - 1) / parts, method="higher") == min(values)
        return
    assert 2 <= len(groups.names) <= parts
    assert set(groups.of) == set(range(len(groups.names)))
    of = dict(zip(values, groups.of, strict=True))
    assert [of[value] for value in sorted(of)] == sorted(of.values())


def test_distinct_values_are_cut_into_equal_parts() -> None:
    groups = slices.by_quantile(np.arange(100.0), 4)
    assert isinstance(groups, Groups)
    assert np.bincount(groups.of).tolist() == [25, 25, 25, 25]


@pytest.mark.parametrize("values", [[], [2.0, 2.0, 2.0], [float("nan"), float("inf")]])
def test_what_cannot_be_cut_is_no_slice_and_says_why(values: list[float]) -> None:
    assert slices.by_quantile(np.array(values), 4) == slices.ALIKE


def test_a_number_that_is_missing_is_in_a_group_of_its_own() -> None:
    groups = slices.by_quantile(np.array([1.0, np.nan, 2.0, 3.0, np.inf, 4.0]), 2)
    assert isinstance(groups, Groups)
    assert groups.names == ["1 to 3", "3 to 4", slices.MISSING]
    assert groups.of.tolist() == [0, 2, 0, 1, 2, 1]


def test_quantiles_have_names_that_differ_and_no_more_digits_than_that_takes() -> None:
    near = slices.by_quantile(np.array([20000.0, 20000.5, 20001.0, 20001.5, 20002.0, 20002.5]), 3)
    codes = slices.by_quantile(np.array([0.0, 1.0, 1.0, 0.0, 0.0]), 4)
    assert isinstance(near, Groups)
    assert near.names == ["20000 to 20001", "20001 to 20002", "20002 to 20002.5"]
    assert isinstance(codes, Groups)
    assert codes.names == ["0", "1"]


def test_values_are_groups_and_missing_ones_are_one_more() -> None:
    groups = slices.by_value(["b", None, "a", "b"])
    assert isinstance(groups, Groups)
    assert groups.names == [slices.MISSING, "a", "b"]
    assert groups.of.tolist() == [2, 0, 1, 2]


def test_one_value_or_a_name_for_each_is_no_group() -> None:
    assert slices.by_value(["a", "a"]) == slices.ALIKE
    assert (
        slices.by_value([str(index) for index in range(slices.MANY + 1)])
        == "there are 51 values; more than 50 are names, not groups"
    )


def test_crossed_groups_are_the_pairs_that_occur() -> None:
    age, sex = (
        Groups(["young", "old"], np.array([0, 1, 1, 0, 1])),
        Groups(["f", "m"], np.array([1, 0, 1, 1, 0])),
    )
    both = slices.crossed(age, sex)
    assert both.names == ["young, m", "old, f", "old, m"]
    assert both.of.tolist() == [0, 1, 2, 0, 1]


def test_sensitive_properties_are_marked() -> None:
    groups = {name: Groups(["a", "b"], np.array([0, 1])) for name in ("sex", "class")}
    facts = slices.judged(groups, np.array([0, 0]), np.array([0, 1]), smallest=1, sensitive=["sex"])
    assert facts["sex"]["sensitive"] is True
    assert "sensitive" not in facts["class"]


def test_worst_difference_and_ratio_by_hand() -> None:
    of = np.repeat([0, 1, 2], [10, 10, 3])
    predictions = np.array([1] * 9 + [0] + [1] * 6 + [0] * 4 + [0] * 3)
    facts = slices.judged(
        {"site": Groups(["a", "b", "c"], of)}, predictions, np.ones(23, np.int64), smallest=5
    )["site"]
    assert facts["worst"]["group"] == "b"
    assert (facts["worst"]["value"], facts["worst"]["n"]) == (0.6, 10)
    assert facts["worst"]["low"] < 0.6 < facts["worst"]["high"]
    assert facts["difference"] == pytest.approx(0.3)
    assert facts["ratio"] == pytest.approx(0.6 / 0.9)
    assert facts["not_judged"] == [{"group": "c", "n": 3}]
    assert [row["group"] for row in facts["groups"]] == ["a", "b"]


def test_where_every_group_is_small_nothing_is_judged() -> None:
    facts = slices.judged(
        {"site": Groups(["a", "b"], np.array([0, 1]))},
        np.array([0, 0]),
        np.array([0, 0]),
        smallest=5,
    )["site"]
    assert "worst" not in facts
    assert [one["n"] for one in facts["not_judged"]] == [1, 1]
