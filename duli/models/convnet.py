"""The small convolutional network of beginners' tutorials: one 3x3 convolution, one max-pool, two
linear layers.

A baseline that a better architecture has to beat: most of its weights stand in the first linear
layer.
"""

from typing import TYPE_CHECKING

from duli.base.errors import ParamsError
from duli.models.shared.layers import Common, Width, convolution, dropout, initialise, linear

if TYPE_CHECKING:
    from torch import nn

SMALLEST = 4  # smallest side in pixels: the convolution removes two, the pool halves the rest


class Settings(Common):
    """Width and dropout; dropout stands before the last layer."""

    filters: Width = 32  # output channels of the convolution
    hidden: Width = 128  # outputs of the first linear layer


def build(
    settings: Settings, *, channels: int, height: int, width: int, outputs: int
) -> "nn.Module":
    """The network: floats [n, channels, height, width] -> logits [n, outputs].

    Raises `ParamsError` if the images are smaller than 4 x 4.
    """
    from torch import nn

    if min(height, width) < SMALLEST:
        raise ParamsError(
            f"model: convnet needs images of at least {SMALLEST} pixels a side, these are {height}"
            f" x {width}; take another model.name"
        )
    features = settings.filters * ((height - 2) // 2) * ((width - 2) // 2)
    model = nn.Sequential(
        *convolution(channels, settings.filters, settings, size=3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *linear(features, settings.hidden, settings),
        *dropout(settings),
        nn.Linear(settings.hidden, outputs),
    )
    return initialise(model, settings)
