"""Drift features of rows beyond the prepared columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES: dict[str, str] = {}  # columns that people call otherwise
SAME: frozenset[str] = frozenset()  # columns that are the same for all
COUNTED: frozenset[str] = frozenset()  # what a server counts of them


def seen(rows: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Every feature of rows [n, features], each [n]."""
    return {f"feature_{index}": column.astype(np.float64) for index, column in enumerate(rows.T)}
