"""What readings of loudness are worth: each is accepted, and right within a tolerance."""

from typing import Any

import numpy as np
from duli.tasks.loudness.task import SCORE, TOLERANCE
from numpy.typing import NDArray

MEASURES = (SCORE.key, "accuracy_of_accepted")
NUMBERS = ()
RISKS = ()

Floats = NDArray[np.floating[Any]]


def outcomes(outputs: Floats, labels: NDArray[Any]) -> tuple[Floats, Floats]:
    """Ones, and whether the error is within the tolerance, both [n]."""
    errors = np.abs(outputs[:, 0] - labels)
    return np.ones(len(errors)), (errors <= TOLERANCE).astype(np.float64)
