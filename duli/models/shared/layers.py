"""The common parts of our own networks: shared settings, and the layers and initial weights they
choose.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from duli.base.params import Section

if TYPE_CHECKING:
    from torch import nn

_Gain = Literal["relu", "sigmoid", "tanh", "leaky_relu", "linear"]
# Each activation, and the one that supplies its gain (torch.nn.init.calculate_gain).
_WITH_GAIN: dict[str, _Gain] = {
    "relu": "relu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "gelu": "relu",
    "silu": "relu",
    "leaky_relu": "leaky_relu",
}

# output channels of a convolution, outputs of a linear layer
Width = Annotated[int, Field(ge=1, le=65_536)]


class Common(Section):
    """Settings of each of our own networks; the defaults are torch's and those of most
    tutorials.
    """

    activation: Literal["relu", "sigmoid", "tanh", "gelu", "silu", "leaky_relu"] = "relu"
    # default: torch's own initialisation
    initialisation: Literal["default", "he", "xavier"] = "default"
    normalisation: Literal["batch", "none"] = "none"  # between each layer and its activation
    # share of the values set to zero while training; 0 adds no layer
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


def convolution(
    before: int, after: int, settings: Common, *, size: int, stride: int = 1, padding: int = 0
) -> "list[nn.Module]":
    """A convolution of `size` x `size`, its normalisation, its activation."""
    # Imported here, as in all of this folder, because `duli check` reads the settings and must not
    # wait for torch.
    from torch import nn

    # No bias where batch normalisation follows: it brings its own.
    layer = nn.Conv2d(before, after, size, stride, padding, bias=settings.normalisation == "none")
    normalisation = [nn.BatchNorm2d(after)] if settings.normalisation == "batch" else []
    return [layer, *normalisation, _activation(settings)]


def linear(before: int, after: int, settings: Common) -> "list[nn.Module]":
    """A hidden linear layer, its normalisation, its activation."""
    from torch import nn

    layer = nn.Linear(before, after, bias=settings.normalisation == "none")
    normalisation = [nn.BatchNorm1d(after)] if settings.normalisation == "batch" else []
    return [layer, *normalisation, _activation(settings)]


def dropout(settings: Common) -> "list[nn.Module]":
    """One dropout layer, or none."""
    from torch import nn

    return [nn.Dropout(settings.dropout)] if settings.dropout else []


def initialise(model: "nn.Sequential", settings: Common) -> "nn.Sequential":
    """`model` with the initial weights of `settings.initialisation`; `default` draws nothing and
    changes nothing.

    `he` draws from N(0, gain^2 / fan_in) (He et al., arXiv 1502.01852), `xavier` from N(0, 2 gain^2
    / (fan_in + fan_out)) (Glorot & Bengio, AISTATS 2010). The gain is torch.nn.init.calculate_gain
    of the activation; that of relu for gelu and silu, which are much like it and have none; and 1
    for the last layer, which has no activation. Biases start at zero.
    """
    from torch import nn

    if settings.initialisation == "default":
        return model
    layers = [layer for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        nonlinearity: _Gain = "linear" if layer is layers[-1] else _WITH_GAIN[settings.activation]
        if settings.initialisation == "he":
            nn.init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity)
        else:
            nn.init.xavier_normal_(layer.weight, gain=nn.init.calculate_gain(nonlinearity))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model


def _activation(settings: Common) -> "nn.Module":
    from torch import nn

    match settings.activation:
        case "relu":
            return nn.ReLU()
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "gelu":
            return nn.GELU()
        case "silu":
            return nn.SiLU()
        case "leaky_relu":
            return nn.LeakyReLU()
