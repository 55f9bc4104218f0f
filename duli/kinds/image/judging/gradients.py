"""Gradients of a model with respect to its input images; the model stays unchanged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


@contextmanager
def evaluating(model: "nn.Module") -> Iterator[None]:
    """Switches the model to evaluation mode for the block; each module gets its previous mode
    back.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def outputs(model: "nn.Module", pixels: "Tensor", mean: float, std: float) -> "Tensor":
    """Outputs [n, ...] for floats [n, channels, height, width] from 0 to 255, in the order in
    memory of `torch_logits`.
    """
    import torch

    found: Tensor = model(
        ((pixels / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
    )
    return found


def gradient(value: "Callable[[Tensor], Tensor]", pixels: "Tensor") -> "Tensor":
    """The gradient with respect to `pixels` of the sum of `value`; weights accumulate none."""
    import torch

    with torch.enable_grad():
        variable = pixels.detach().requires_grad_()
        (result,) = torch.autograd.grad(value(variable).sum(), variable)
        return result
