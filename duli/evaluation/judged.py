"""The inputs of an evaluation: the model in its forms, the splits, and what a kind measures on
them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base.kinds import Kind
from duli.evaluation.predict import Inputs, onnx_logits, torch_logits

if TYPE_CHECKING:
    from torch import Tensor, nn

Facts = dict[str, Any]
Outputs = NDArray[np.float32]


class Model(NamedTuple):
    """The model under evaluation: the trained network, its export, and the variant that ships."""

    description: Facts  # model.json
    trained: "nn.Module"
    whole: "nn.Module"  # the trained network with its preprocessing
    onnx: dict[str, bytes]
    shipped: str

    def outputs_trained(self, inputs: Inputs) -> Outputs:
        """[n, outputs] of the trained network."""
        return torch_logits(self.whole, inputs)

    def outputs_shipped(self, inputs: Inputs) -> Outputs:
        """[n, outputs] of the file that ships."""
        return onnx_logits(self.onnx[self.shipped], inputs)


class Split(NamedTuple):
    """A split, or some rows of it."""

    table: pa.Table
    inputs: Inputs
    targets: NDArray[Any]  # targets [n], in the task's form
    kind: Kind


class Splits(Protocol):
    """A reader of prepared splits."""

    def split(self, name: str, rows: NDArray[np.int64] | None = None) -> Split: ...
    def targets(self, name: str) -> NDArray[Any]: ...


class Judgement(NamedTuple):
    """The result of a task's evaluation (`duli/tasks/NAME/judging/judge.py`)."""

    facts: Facts  # reports/evaluation.json; has `test_digest`, `variant`, `n` and the score
    tables: dict[str, list[Facts]]  # reports/evaluation/NAME.csv
    heads: dict[str, tuple[str, ...]]  # columns of tables that may be empty
    # id, label and outputs [n, width] of each variant by its name
    predictions: pa.Table
    page: str


class Features(NamedTuple):
    """Splits as numeric features for a linear model."""

    splits: Sequence[Any]  # [n, features] each, arrays or sparse matrices
    strengths: tuple[float, ...]  # candidate strengths of the fit against its penalty


class Loss(Protocol):
    """Per-example losses [n] from outputs [n, outputs] of some rows."""

    def __call__(self, outputs: "Tensor", part: slice) -> "Tensor": ...


class Judge(Protocol):
    """The interface of a kind of data for `evaluate` (`duli/kinds/NAME/judging/judge.py`)."""

    def skipped(self, description: Facts) -> Mapping[str, str]:
        """The measures that do not apply, and why."""

    def looks(self, split: Split) -> dict[str, NDArray[np.float64]]:
        """Measurable properties of each example, [n]."""

    def ways(
        self, split: Split, rows: NDArray[np.int64], description: Facts, seed: int
    ) -> Mapping[str, Callable[[], Inputs]]:
        """Ways in which examples are spoilt, by name: each makes the inputs [rows] anew."""

    def attacked(
        self, model: Model, inputs: Inputs, loss: "Loss", *, epsilon: int, steps: int, seed: int
    ) -> Inputs:
        """Inputs at most `epsilon` levels from these that raise the loss."""

    def features(self, splits: Sequence[Split], outputs: int) -> Features:
        """The inputs of a linear baseline for train, validation and test."""

    def shown(
        self,
        model: Model,
        split: Split,
        rows: list[int],
        outputs: NDArray[np.int64],
        others: NDArray[np.int64],
        seed: int,
    ) -> Facts:
        """The examples for the page: `mistakes`, one for each of `rows`, with the evidence for the
        given output over the other; `corruptions`, one example corrupted in each way, and the same
        `clean`.
        """
