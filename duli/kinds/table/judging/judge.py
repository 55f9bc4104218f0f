"""Evaluation of table models: by missing values, and with features that are noisy or missing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from duli.evaluation.judged import Facts, Features, Model, Split
from duli.evaluation.predict import Inputs
from duli.kinds.table.judging.features import WAYS, spoilt

NO_PIXELS = "a row of numbers is no picture"


def skipped(description: Facts) -> Mapping[str, str]:
    """The measures that do not apply, and why."""
    return dict.fromkeys(("pgd", "saliency", "gallery"), NO_PIXELS)


def looks(split: Split) -> dict[str, NDArray[np.float64]]:
    """Measurable properties of each example, [n]: the number of missing values."""
    return {"missing": np.isnan(split.inputs).sum(axis=1).astype(np.float64)}


def ways(
    split: Split, rows: NDArray[np.int64], description: Facts, seed: int
) -> dict[str, Callable[[], Inputs]]:
    """Rows with noise, with values that are gone, and with outliers."""
    clean, std = split.inputs[rows], np.array(description["normalisation"]["std"], np.float32)
    return {name: partial(spoilt, name, clean, std, seed) for name in WAYS}


def features(splits: Sequence[Split], outputs: int) -> Features:
    """Rows scaled to those of train, 0 for a missing value, and which are missing."""
    train = splits[0].inputs.astype(np.float64)
    there = ~np.isnan(train)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, train, 0).sum(axis=0) / count
    std = np.sqrt((np.where(there, train - mean, 0) ** 2).sum(axis=0) / count)
    gappy = ~there.all(axis=0)
    made = []
    for split in splits:
        scaled = (split.inputs - mean) / np.where(std > 0, std, 1)
        missing = np.isnan(split.inputs[:, gappy])
        made.append(np.concatenate([np.nan_to_num(scaled, nan=0.0), missing], axis=1))
    return Features(made, (0.1, 10.0))


def shown(
    model: Model,
    split: Split,
    rows: list[int],
    outputs: NDArray[np.int64],
    others: NDArray[np.int64],
    seed: int,
) -> Facts:
    """Nothing: the numbers are all there is to show."""
    return {"mistakes": [], "corruptions": {}}
