"""Finds how data of a kind are judged."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from duli.evaluation.baseline import Linear
from duli.evaluation.params import Robustness
from stages.kinds import image, table, text
from stages.kinds._judged import Facts, Model, Shown, Test


class Judge(Protocol):
    """What `evaluate` asks of a kind of data."""

    def skipped(self, description: Facts) -> Mapping[str, str]: ...
    def looks(self, test: Test) -> dict[str, NDArray[np.float64]]: ...
    def robustness(self, model: Model, test: Test, settings: Robustness) -> Facts: ...
    def linear(self, train: Test, validation: Test, test: Test) -> Linear: ...
    def shown(self, model: Model, test: Test, facts: Facts, seed: int) -> Shown: ...


JUDGES: dict[str, Judge] = {"image": image, "text": text, "table": table}
