"""Drift features of texts beyond the prepared columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.kinds.text.reading.tokenizer import UNKNOWN

NAMES: dict[str, str] = {}  # columns that people call otherwise
SAME: frozenset[str] = frozenset()  # columns that are the same for all
COUNTED: frozenset[str] = frozenset()  # what a server counts of them


def seen(tokens: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """The number of tokens and the share of them that the training texts lack, each [n], of tokens
    [n, length].
    """
    lengths = np.maximum((tokens != 0).sum(axis=1), 1)
    return {
        "tokens": lengths.astype(np.float64),
        "unknown_tokens": (tokens == UNKNOWN).sum(axis=1) / lengths,
    }
