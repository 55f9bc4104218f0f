"""Texts are mistyped and rows spoilt as said, the same each time; a character's share is what its
absence takes.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.kinds.table.judging import features
from duli.kinds.text.judging import erasure, typos

TEXT = st.text("abcdefgh屏幕很好", min_size=1, max_size=60)


@pytest.mark.parametrize("name", typos.TYPOS)
@given(texts=st.lists(TEXT, min_size=1, max_size=4))
def test_mistyped_texts_repeat_themselves_and_keep_something_to_read(
    name: str, texts: list[str]
) -> None:
    made = typos.mistyped(name, texts, seed=3)
    assert made == typos.mistyped(name, texts, seed=3)
    assert all(one.strip() for one in made)
    assert all({*one} <= {*text, " "} for one, text in zip(made, texts, strict=True))


def test_each_way_changes_what_it_is_called_after() -> None:
    text = "abcdefghij" * 4
    changed = max(1, round(typos.SHARE * len(text)))
    made = {name: typos.mistyped(name, [text], seed=0)[0] for name in typos.TYPOS}
    assert len({*made.values(), text}) == 1 + len(typos.TYPOS)
    assert sorted(made["swapped_characters"]) == sorted(text)
    assert len(made["dropped_characters"]) == len(text) - changed
    assert len(made["repeated_characters"]) == len(made["inserted_spaces"]) == len(text) + changed
    assert made["inserted_spaces"].replace(" ", "") == text


def test_a_character_that_counts_contributes_what_it_counts() -> None:
    def logits(texts: list[str]) -> np.ndarray:
        """Class 1 gains 2 by every "好" and loses 1 by every "差"."""
        return np.array([[0.0, 2.0 * text.count("好") - text.count("差")] for text in texts])

    assert erasure.contributions(logits, "很好但差", answer=1, label=0).tolist() == [0, 2, 0, -1]
    assert erasure.contributions(logits, "很好但差", answer=0, label=1).tolist() == [0, -2, 0, 1]
    assert erasure.contributions(logits, "好", answer=1, label=0).tolist() == [0]
    long = "很" * erasure.LONGEST + "好"
    assert not erasure.contributions(logits, long, answer=1, label=0).any()


def test_rows_are_spoilt_as_said_and_the_same_each_time() -> None:
    rows = np.random.default_rng(0).standard_normal((400, 5)).astype(np.float32) * 3
    std = np.full(5, 3, np.float32)
    made = {name: features.spoilt(name, rows, std, seed=1) for name in features.WAYS}
    for name, spoilt in made.items():
        assert np.array_equal(spoilt, features.spoilt(name, rows, std, seed=1), equal_nan=True)
        assert spoilt.dtype == np.float32
    assert np.std(made["noise"] - rows) == pytest.approx(features.NOISE * 3, rel=0.1)
    assert np.isnan(made["missing_values"]).mean() == pytest.approx(features.GONE, abs=0.03)
    moved = made["one_outlier"] != rows
    assert (moved.sum(axis=1) == 1).all()
    assert np.allclose(np.abs(made["one_outlier"] - rows)[moved], features.FAR * 3, rtol=1e-4)
    assert np.allclose(
        made["coarse_rounding"] / 3, np.round(made["coarse_rounding"] / 3), atol=1e-5
    )
