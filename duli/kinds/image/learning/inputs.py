"""Preprocessing between stored pixels and the network."""

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from duli.kinds.image.learning.augment import changed
from duli.kinds.image.learning.params import Augmentation
from duli.models.shared.inputs import Whole


class Pixels(nn.Module):
    """Pixels 0..255 [n, channels, height, width], bytes or floats -> zero mean, unit deviation.

    `mean` and `std` are those of the pixels scaled to 0..1. The result is channels-last, unless
    asked for otherwise: so CPUs and tensor cores convolve fastest.
    """

    name = "images"

    def __init__(
        self, mean: float, std: float, memory_format: torch.memory_format = torch.channels_last
    ) -> None:
        super().__init__()
        self.mean, self.std, self.memory_format = mean, std, memory_format

    def forward(self, raw: Tensor) -> Tensor:
        return (
            raw.float()
            .sub(255 * self.mean)
            .div_(255 * self.std)
            .contiguous(memory_format=self.memory_format)
        )

    def exported(self) -> nn.Module:
        """The same as one multiplication and one addition, which can be folded into a layer behind
        it.
        """
        return _Affine(1 / (255 * self.std), -self.mean / self.std)


class _Affine(nn.Module):
    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, raw: Tensor) -> Tensor:
        return raw.float() * self.scale + self.shift


Preprocessing = Pixels


def example(size: Mapping[str, int], n: int) -> Tensor:
    """`n` black images as they are kept, uint8 [n, channels, height, width]."""
    return torch.zeros(n, size["channels"], size["height"], size["width"], dtype=torch.uint8)


def layouts(before: Pixels, network: nn.Module) -> dict[str, nn.Module]:
    """The `network` with its preprocessing in both memory layouts.

    `torch` is the default layout after restoring the weights; `torch_channels_last` has
    channels-last weights and images, which oneDNN prefers.
    """
    plain, last = Pixels(before.mean, before.std, torch.contiguous_format), copy.deepcopy(network)
    last.to(memory_format=torch.channels_last)
    return {"torch": Whole(plain, network), "torch_channels_last": Whole(before, last)}


def augmenting(
    settings: Mapping[str, float],
) -> Callable[[Tensor, torch.Generator, slice, int], Tensor]:
    """The random changes of a batch by `train.augmentation`, for `duli.training.loop.fit`."""
    augmentation = Augmentation.model_validate(settings)

    def augment(raw: Tensor, generator: torch.Generator, part: slice, of: int) -> Tensor:
        return changed(raw, augmentation, generator, part, of)

    return augment


def lengths(inputs: Tensor) -> None:
    """Always None: images of one size cost the same."""
