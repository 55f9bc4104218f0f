"""Changes training images at random, a whole batch at once, on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from duli.training.params import Augmentation


def affine(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Each of `images` (floats [n, channels, height, width], 0 is background) rotated, scaled, sheared and shifted by amounts of its own.

    The amounts are uniform between plus and minus the settings. What comes in from outside is background. The few random
    numbers are drawn on the CPU (`generator`), so that every device sees the same images.
    """
    n, _, height, width = images.shape
    rotate, scale, shear, x, y = torch.rand(5, n, generator=generator) * 2 - 1
    angle = rotate * math.radians(settings.rotate)
    size = 1 + scale * settings.scale
    cosine, sine = torch.cos(angle) * size, torch.sin(angle) * size
    # affine_grid counts in half sides, from -1 to 1; rotating an image that is not square needs the ratio of its sides.
    ratio = height / width
    matrix = torch.stack(
        (
            torch.stack((cosine, (shear * settings.shear - sine) * ratio, x * settings.shift * 2 / width), dim=1),
            torch.stack((sine / ratio, cosine, y * settings.shift * 2 / height), dim=1),
        ),
        dim=1,
    )
    grid = functional.affine_grid(matrix.to(images.device, non_blocking=True), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
