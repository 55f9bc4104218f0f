"""What `evaluate` asks of a kind of data (`duli/kinds/NAME/judging/judge.py`)."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from duli.tasks.classification.judging.baseline import Linear
from duli.tasks.classification.judging.judged import Facts, Model, Shown, Test
from duli.tasks.classification.judging.params import Robustness


class Judge(Protocol):
    """What `evaluate` asks of a kind of data."""

    def skipped(self, description: Facts) -> Mapping[str, str]: ...
    def looks(self, test: Test) -> dict[str, NDArray[np.float64]]: ...
    def robustness(self, model: Model, test: Test, settings: Robustness) -> Facts: ...
    def linear(self, train: Test, validation: Test, test: Test) -> Linear: ...
    def shown(self, model: Model, test: Test, facts: Facts, seed: int) -> Shown: ...
