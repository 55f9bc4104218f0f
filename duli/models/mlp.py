"""A multilayer perceptron: linear layers over the flattened input; `widths: [10, 50]` is the
10-50-10 network of tutorials (10 classes).
"""

from typing import TYPE_CHECKING

from duli.models.shared.layers import Common, Width, dropout, initialise, linear

if TYPE_CHECKING:
    from torch import nn


class Settings(Common):
    """Width, depth and dropout; dropout follows each hidden layer."""

    # outputs of the hidden layers; none makes it multinomial logistic regression
    widths: tuple[Width, ...] = (10, 50)


def build(
    settings: Settings,
    *,
    outputs: int,
    channels: int = 1,
    height: int = 1,
    width: int = 1,
    features: int = 1,
) -> "nn.Module":
    """The network: floats [n, channels, height, width] or [n, features] -> logits [n, outputs]."""
    from torch import nn

    layers: list[nn.Module] = [nn.Flatten()]
    features *= channels * height * width
    for wide in settings.widths:
        layers += [*linear(features, wide, settings), *dropout(settings)]
        features = wide
    return initialise(nn.Sequential(*layers, nn.Linear(features, outputs)), settings)
