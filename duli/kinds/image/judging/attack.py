"""Projected gradient descent (PGD): adversarial images near the given ones."""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from duli.evaluation.judged import Loss
from duli.evaluation.predict import BATCH, Images
from duli.kinds.image.judging.gradients import evaluating, gradient, outputs

if TYPE_CHECKING:
    from torch import Tensor, nn

LEVELS = 255  # grey levels from black to white, that epsilons are stated in


def pgd(
    model: "nn.Module",
    images: Images,
    loss: Loss,
    *,
    epsilon: float,
    steps: int,
    step: float | None = None,
    seed: int,
    mean: float,
    std: float,
) -> Images:
    """Bytes [n, channels, height, width], each at most `epsilon` (share of black to white) from
    that of `images`, that raise the loss.

    The attack of Madry et al. (ICLR 2018, arXiv 1706.06083) in the maximum norm: `steps` steps of
    `step` (by default 2.5 epsilon / steps) along the sign of the gradient of `loss`, from a random
    place in the ball. What is sent in are bytes: so the ball's radius
    is the whole number of grey levels within epsilon, and the result is rounded within it.

    In float32 on the CPU; the model is in evaluation mode meanwhile and left as it was.
    """
    import torch

    assert images.dtype == np.uint8
    assert epsilon >= 0
    assert steps >= 1
    # 8 / 255 is meant to be eight levels, whatever its last bit
    radius = math.floor(epsilon * 255 + 1e-6)
    stride = 255 * (2.5 * epsilon / steps if step is None else step)
    generator = np.random.default_rng(seed)
    result = np.empty_like(images, order="C")
    with evaluating(model):
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            # One after the other from one generator: the numbers are those of one draw for the
            # whole set.
            begin = torch.from_numpy(
                (generator.random(images[part].shape, dtype=np.float32) * 2 - 1)
                * np.float32(radius)
            )
            pixels = torch.from_numpy(images[part].astype(np.float32))
            result[part] = (
                _climbed(
                    model, pixels, begin, partial(loss, part=part), radius, stride, steps, mean, std
                )
                .round()
                .numpy()
                .astype(np.uint8)
            )
    return result


def _climbed(
    model: "nn.Module",
    pixels: "Tensor",
    begin: "Tensor",
    loss: "Callable[[Tensor], Tensor]",
    radius: int,
    stride: float,
    steps: int,
    mean: float,
    std: float,
) -> "Tensor":
    """The end of the steps, in floats from 0 to 255; both ends of the range allowed to each pixel
    are whole numbers.
    """

    def value(changed: "Tensor") -> "Tensor":
        return loss(outputs(model, changed, mean, std))

    low, high = (pixels - radius).clamp(min=0), (pixels + radius).clamp(max=255)
    changed = (pixels + begin).clamp(low, high)
    for _ in range(steps):
        changed = (changed + stride * gradient(value, changed).sign()).clamp(low, high)
    return changed
