"""The rule that chooses what ships, and the agreement of an export."""

import numpy as np

from duli.compression import compare


def test_the_choice_follows_the_unfavourable_end() -> None:
    paired = {"n": 10_000, "lost": 12, "won": 0, "drop_points": {"value": 0.12, "low": 0.05, "high": 0.19}}
    assert compare.choose(paired, 0.002)[0] == "int8"
    assert compare.choose(paired, 0.0015)[0] == "fp32"
    assert "lost 12 and won 0" in compare.choose(paired, 0.0015)[1]


def test_agreement_sees_the_one_answer_that_differs() -> None:
    logits = np.eye(3, dtype=np.float32)
    other = logits.copy()
    assert compare.agreement(other, logits) == {"max_logit_difference": 0.0, "disagreements": 0}
    other[1] = [0, 0, 1]
    assert compare.agreement(other, logits) == {"max_logit_difference": 1.0, "disagreements": 1}
