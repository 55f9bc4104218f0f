"""What a judgement is about: the model in its forms, and the test split."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base import rooms
from duli.base.kinds import Kind
from duli.base.tasks import Targets
from duli.evaluation.predict import Inputs, onnx_logits, torch_logits
from duli.models.shared.inputs import Whole

if TYPE_CHECKING:
    from torch import nn

Labels = NDArray[np.int64]
Facts = dict[str, Any]


class Model(NamedTuple):
    """What is judged: the network as it was trained, its export, and the variant made of it that
    ships.
    """

    description: Facts
    trained: "nn.Module"
    onnx: dict[str, bytes]
    shipped: str

    def logits_trained(self, inputs: Inputs) -> NDArray[np.float32]:
        """[n, classes] of the trained network."""
        before = rooms.kind(self.description["kind"], "learning.inputs").Preprocessing(
            **self.description["normalisation"]
        )
        return torch_logits(Whole(before, self.trained), inputs)

    def answers_trained(self, inputs: Inputs) -> Labels:
        """The classes predicted by the trained network."""
        answers: Labels = self.logits_trained(inputs).argmax(axis=1)
        return answers

    def answers_shipped(self, inputs: Inputs) -> Labels:
        """The classes predicted by the file that ships."""
        answers: Labels = onnx_logits(self.onnx[self.shipped], inputs).argmax(axis=1)
        return answers


class Test(NamedTuple):
    """The test split, or another."""

    table: pa.Table
    inputs: Inputs
    labels: Labels
    kind: Kind
    targets: Targets


class Shown(NamedTuple):
    """What the page shows of a kind of data besides numbers."""

    charts: dict[str, str]  # SVG by name
    pictures: Facts
