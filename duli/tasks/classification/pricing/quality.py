"""The quality of a classifier's answers for pricing: confidence, correctness, and risks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.economics.risks import Risk

# Measures of reports/evaluation.json that business.json repeats: shares, and plain numbers.
MEASURES = ("accuracy", "coverage", "accuracy_of_accepted")
NUMBERS = ("confidence_threshold",)
RISKS = (
    Risk(
        "false_sureness",
        "fairness and transparency",
        "evaluation.calibration_error.value",
        "at most",
        "share",
    ),
    Risk(
        "spoilt_input",
        "fairness and transparency",
        "evaluation.robustness.mean.value",
        "at least",
        "share",
    ),
    Risk(
        "attacked_input",
        "fairness and transparency",
        "evaluation.robustness.pgd.8_of_255.shipped.value",
        "at least",
        "share",
    ),
)

Floats = NDArray[np.floating[Any]]


def outcomes(outputs: Floats, labels: NDArray[Any]) -> tuple[Floats, Floats]:
    """The confidence of each answer and whether it is right (0 or 1), both [n], from
    probabilities [n, classes] and labels [n].
    """
    return outputs.max(axis=1), (outputs.argmax(axis=1) == labels).astype(np.float64)
