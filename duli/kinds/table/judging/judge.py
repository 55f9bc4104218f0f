"""How models of rows of numbers are judged: by values that are missing, and with features that are
noisy or gone.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from duli.kinds.table.judging import features
from duli.tasks.classification.judging import baseline
from duli.tasks.classification.judging import robustness as robust
from duli.tasks.classification.judging.judged import Facts, Model, Shown, Test
from duli.tasks.classification.judging.params import Robustness

NO_PIXELS = "a row of numbers is no picture"


def skipped(description: Facts) -> Mapping[str, str]:
    """The measures that do not apply, and why."""
    return dict.fromkeys(("pgd", "saliency", "gallery"), NO_PIXELS)


def looks(test: Test) -> dict[str, NDArray[np.float64]]:
    """What can be measured of each example, [n]: the values it lacks."""
    return {"missing": np.isnan(test.inputs).sum(axis=1).astype(np.float64)}


def robustness(model: Model, test: Test, settings: Robustness) -> Facts:
    """Answers of the file that ships to rows with noise, with values that are gone, and with
    outliers.
    """
    rows = robust.evenly(len(test.labels), settings.corruptions.examples)
    clean, std = test.inputs[rows], np.array(model.description["normalisation"]["std"], np.float32)
    ways = {
        name: partial(features.spoilt, name, clean, std, settings.seed) for name in features.WAYS
    }
    return robust.under_corruptions(model.answers_shipped, clean, ways, test.labels[rows])


def linear(train: Test, validation: Test, test: Test) -> baseline.Linear:
    """What a linear model of the features answers to the test split."""
    splits = [split.inputs for split in (train, validation, test)]
    return baseline.linear(baseline.numbers(splits), (train.labels, validation.labels), (0.1, 10.0))


def shown(model: Model, test: Test, facts: Facts, seed: int) -> Shown:
    """Nothing besides the numbers."""
    return Shown({}, {"mistakes": [], "corruptions": {}})
