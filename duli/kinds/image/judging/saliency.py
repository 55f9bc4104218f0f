"""Saliency: the contribution of each pixel to an answer."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from duli.evaluation.predict import BATCH, Images
from duli.kinds.image.judging.gradients import evaluating, gradient
from duli.kinds.image.judging.gradients import outputs as outputs_of

if TYPE_CHECKING:
    from torch import Tensor, nn


def integrated_gradients(
    model: "nn.Module",
    images: Images,
    *,
    mean: float,
    std: float,
    outputs: NDArray[np.integer[Any]] | None = None,
    steps: int = 128,
) -> NDArray[np.float32]:
    """Contributions [n, height, width] of the pixels to the outputs with these indices [n], by
    default the largest.

    Integrated gradients (Sundararajan, Taly and Yan, ICML 2017, arXiv 1703.01365) along the
    straight line from a black image, by the midpoint rule with `steps` points; channels are summed.
    Positive values support the output. They sum to the output minus that of the black image, up to
    the error of the rule; a black pixel contributes nothing.

    Computed in float32 on the CPU; the model is in evaluation mode meanwhile and restored
    afterwards.
    """
    import torch

    assert images.dtype == np.uint8
    assert steps >= 1
    result = np.empty((len(images), *images.shape[2:]), np.float32)
    with evaluating(model):
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            pixels = torch.from_numpy(images[part].astype(np.float32))
            if outputs is None:
                with torch.no_grad():
                    chosen = outputs_of(model, pixels, mean, std).argmax(dim=1)
            else:
                chosen = torch.from_numpy(outputs[part].astype(np.int64))
            result[part] = (
                (pixels * _mean_gradient(model, pixels, chosen, steps, mean, std))
                .sum(dim=1)
                .numpy()
            )
    return result


def _mean_gradient(
    model: "nn.Module", pixels: "Tensor", chosen: "Tensor", steps: int, mean: float, std: float
) -> "Tensor":
    """The gradient of the chosen outputs, averaged along the path from black to the image, per grey
    level.
    """
    import torch

    def value(places: "Tensor") -> "Tensor":
        return outputs_of(model, places, mean, std).gather(1, chosen[:, None])

    total = torch.zeros_like(pixels)
    for step in range(steps):
        total += gradient(value, pixels * ((step + 0.5) / steps))
    return total / steps
