"""A small convolutional network that learns fast on a CPU and loses nothing in int8.

A 5x5 stem of stride 2 halves the image before the costly layers, or a 3x3 stem of stride 1 leaves
them its detail, as in VGG (Simonyan and Zisserman, arXiv 1409.1556); blocks of 3x3 convolutions
follow, each block ended by a max-pool. By default every convolution is followed by batch
normalisation, which folds into it, and ReLU; so the exported graph holds convolution, ReLU,
max-pool and one linear layer, and runs of all of these in int8 are fused by ONNX Runtime. In the
line of the fast recipes of github.com/tuomaso/train_mnist_fast and
github.com/KellerJordan/cifar10-airbench.
"""

from typing import TYPE_CHECKING, Literal

from duli.base.errors import ParamsError
from duli.models.shared.layers import Common, Width, convolution, dropout, initialise

if TYPE_CHECKING:
    from torch import nn


class Settings(Common):
    """Width, depth and dropout; dropout stands before the last layer."""

    stem: Width  # output channels of the first convolution
    resolution: Literal["half", "full"] = "half"  # of the image after the stem
    # output channels of the 3x3 convolutions; each block ends in a max-pool; none: the stem alone
    blocks: tuple[tuple[Width, ...], ...]
    normalisation: Literal["batch", "none"] = "batch"
    # whether an answer is that to the image and to its mirror image, for twice the arithmetic
    mirrored: bool = False


def build(
    settings: Settings, *, channels: int, height: int, width: int, outputs: int
) -> "nn.Module":
    """The network: floats [n, channels, height, width] -> logits [n, outputs].

    Raises `ParamsError` if the images are too small for that many blocks.
    """
    from torch import nn

    from duli.models.shared.mirrored import Mirrored

    rows, columns = _after(height, settings), _after(width, settings)
    if min(rows, columns) < 1:
        raise ParamsError(
            f"model: fastconv with {len(settings.blocks)} blocks needs images of at least"
            f" {_smallest(settings)} pixels a side, these are {height} x {width}; take fewer blocks"
        )
    if settings.resolution == "half":
        layers = convolution(channels, settings.stem, settings, size=5, stride=2)
    else:
        layers = convolution(channels, settings.stem, settings, size=3, padding=1)
    features = settings.stem
    for block in settings.blocks:
        for wide in block:
            layers += convolution(features, wide, settings, size=3, padding=1)
            features = wide
        layers.append(nn.MaxPool2d(2))
    whole = Mirrored if settings.mirrored else nn.Sequential
    return initialise(
        whole(
            *layers, nn.Flatten(), *dropout(settings), nn.Linear(features * rows * columns, outputs)
        ),
        settings,
    )


def _after(side: int, settings: Settings) -> int:
    """Pixels that are left of a side after the stem and the pools (none, or less, where the image
    is too small).
    """
    left = (side - 5) // 2 + 1 if settings.resolution == "half" else side
    for _ in settings.blocks:
        left //= 2
    return left


def _smallest(settings: Settings) -> int:
    """The shortest side that leaves one pixel."""
    pooled = 1 << len(settings.blocks)
    return 5 + 2 * (pooled - 1) if settings.resolution == "half" else pooled
