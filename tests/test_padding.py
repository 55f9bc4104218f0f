"""Padding goes where it is needless, rows come back where they were, and what is no tokens stays as
it is.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from duli.base import padding

TOKENS = arrays(
    np.int32, st.tuples(st.integers(1, 6), st.integers(1, 8)), elements=st.integers(0, 3)
)


@given(TOKENS)
def test_a_cut_loses_no_token_and_leaves_no_column_of_padding_behind(batch: np.ndarray) -> None:
    short = padding.cut(batch)
    assert np.array_equal(batch[:, : short.shape[1]], short)
    assert not batch[:, short.shape[1] :].any()
    assert short.shape[1] == 1 or short[:, -1].any()


@given(TOKENS)
def test_the_order_by_length_is_one_and_the_first_row_is_of_median_length(
    batch: np.ndarray,
) -> None:
    lengths = (batch != 0).sum(axis=1)
    order = padding.by_length(batch)
    assert sorted(order.tolist()) == list(range(len(batch)))
    assert (np.diff(lengths[order]) >= 0).all()
    first = padding.typical_first(batch)
    assert (first[0] != 0).sum() == np.sort(lengths)[len(lengths) // 2]
    assert sorted(map(tuple, first.tolist())) == sorted(map(tuple, batch.tolist()))


def test_what_is_no_tokens_stays_as_it_is() -> None:
    for other in (np.zeros((3, 1, 2, 2), np.uint8), np.zeros((3, 2), np.float32)):
        assert padding.cut(other) is other
        assert padding.typical_first(other) is other
        assert padding.by_length(other).tolist() == [0, 1, 2]
