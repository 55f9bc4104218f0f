"""The exponential moving average (EMA) of the weights, often better than the last weights."""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of all weights and running statistics of `model`, with the
    given decay per step.

    The decay rises with the step number (as in TensorFlow's ExponentialMovingAverage with
    num_updates), so that the random initial weights lose their influence early. Not torch's
    AveragedModel: it keeps a second module, which does not work with sharded weights, and has no
    rising decay.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self.tensors = {name: value.detach().clone() for name, value in _floats(model).items()}

    def update(self, step: int) -> None:
        """Updates the averages with the weights after `step` steps."""
        decay = min(self._decay, (1 + step) / (10 + step))
        # _foreach_: one call for all tensors, as in torch's own optimizers.
        with torch.no_grad():
            torch._foreach_lerp_(_here(self.tensors), _here(_floats(self._model)), 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Swaps the averages into the model for the length of the block."""
        learning = {name: value.detach().clone() for name, value in _floats(self._model).items()}
        self._copy(self.tensors)
        try:
            yield
        finally:
            self._copy(learning)

    def keep(self) -> None:
        """Copies the averages into the model for good."""
        self._copy(self.tensors)

    def _copy(self, source: dict[str, Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(_here(_floats(self._model)), _here(source))


def _here(tensors: dict[str, Tensor]) -> list[Tensor]:
    """This process's shards: _foreach_ accepts no mixture of sharded and full tensors."""
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
