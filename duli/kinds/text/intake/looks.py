"""What drift sees of texts besides the columns that prepare keeps of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.kinds.text.reading.tokenizer import UNKNOWN

NAMES: dict[str, str] = {}  # columns that people call otherwise
SAME: frozenset[str] = frozenset()  # columns that are the same for all
COUNTED: frozenset[str] = frozenset()  # what a server counts of them


def seen(tokens: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Of tokens [n, length], each [n]: how many a text has, and which share of them the training
    texts did not have.
    """
    lengths = np.maximum((tokens != 0).sum(axis=1), 1)
    return {
        "tokens": lengths.astype(np.float64),
        "unknown_tokens": (tokens == UNKNOWN).sum(axis=1) / lengths,
    }
