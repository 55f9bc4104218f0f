"""What drift sees of waves besides their peak."""

import numpy as np
from numpy.typing import NDArray

NAMES: dict[str, str] = {}
SAME: frozenset[str] = frozenset()
COUNTED: frozenset[str] = frozenset()


def seen(waves: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Of waves [n, samples], each [n]: how often they cross zero."""
    return {"crossings": (np.diff(np.sign(waves), axis=1) != 0).sum(axis=1).astype(np.float64)}
