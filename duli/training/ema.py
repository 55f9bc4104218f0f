"""The exponential moving average of the weights, which is often the better network than any of
those it averages.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of all weights and running statistics of `model`, with the
    given decay per step.

    The decay rises with the number of steps (as in TensorFlow's ExponentialMovingAverage with
    num_updates), so that the random weights of the beginning are soon forgotten. Not torch's
    AveragedModel: it keeps a second module, which sharded weights do not survive, and has no rising
    decay.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self.tensors = {name: value.detach().clone() for name, value in _floats(model).items()}

    def update(self, step: int) -> None:
        """Takes in the weights after `step` steps."""
        decay = min(self._decay, (1 + step) / (10 + step))
        # _foreach_: one call for all tensors; torch's own optimizers are written with it.
        with torch.no_grad():
            torch._foreach_lerp_(_here(self.tensors), _here(_floats(self._model)), 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts the averages into the model for the time of a block."""
        learning = {name: value.detach().clone() for name, value in _floats(self._model).items()}
        self._copy(self.tensors)
        try:
            yield
        finally:
            self._copy(learning)

    def keep(self) -> None:
        """Puts the averages into the model for good."""
        self._copy(self.tensors)

    def _copy(self, source: dict[str, Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(_here(_floats(self._model)), _here(source))


def _here(tensors: dict[str, Tensor]) -> list[Tensor]:
    """This process's own shards: _foreach_ takes no mixture of sharded weights and whole
    statistics.
    """
    return [
        cast(Any, value).to_local() if hasattr(value, "to_local") else value
        for value in tensors.values()
    ]


def _floats(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: value.detach()
        for name, value in model.state_dict().items()
        if value.dtype.is_floating_point
    }
