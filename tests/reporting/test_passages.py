"""Characters are coloured by what they contributed, and nothing of a text becomes markup."""

import numpy as np

from duli.kinds.text.judging import passages


def test_the_strongest_is_full_colour_and_signs_have_their_own() -> None:
    shown = str(passages.marked("abcd", np.array([1.0, -0.5, 0.0, 0.05])))
    assert shown == '<b class="for s4">a</b><b class="against s2">b</b>cd'
    assert str(passages.marked("ab", np.zeros(2))) == "ab"


def test_a_text_is_shown_never_obeyed_and_cut_where_it_is_long() -> None:
    shown = str(passages.marked("<script>&", np.arange(9.0)))
    assert "<script" not in shown
    assert "&lt;" in shown
    assert "&amp;" in shown
    long = "x" * (passages.LONGEST + 1)
    assert str(passages.marked(long, np.zeros(len(long)))) == "x" * passages.LONGEST + "\u2026"
