"""Saliency of texts: how an answer changes when a character is left out."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 200  # characters of a text that are left out in turn; those behind them count as 0

Logits = Callable[[list[str]], NDArray[np.floating[Any]]]


def contributions(logits: Logits, text: str, answer: int, label: int) -> NDArray[np.float64]:
    """The evidence of each character for `answer` over `label`, [characters].

    The logit of the one less that of the other, with the text whole less without the character (Li,
    Monroe and Jurafsky, "Understanding Neural Networks through Representation Erasure", arXiv
    1612.08220). A text of one character cannot do without it, and contributes 0.
    """
    result = np.zeros(len(text))
    tried = min(len(text), LONGEST)
    if len(text.strip()) < 2:
        return result
    shorter = [text[:at] + text[at + 1 :] for at in range(tried)]
    values = logits([text, *shorter])
    margins = values[:, answer] - values[:, label]
    result[:tried] = margins[0] - margins[1:]
    return result
