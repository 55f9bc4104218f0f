"""The common parts of the residual networks: their settings, and how torchvision's network is
fitted to other images.

He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385. All names of the
weights stay torchvision's, so its published weights fit wherever the shapes do: everything but `fc`
at other classes, and `conv1` at a small stem or other channels.
"""

from typing import TYPE_CHECKING, Literal, cast

from duli.base.params import Section

if TYPE_CHECKING:
    from torch import nn
    from torchvision.models import ResNet

# Pixels of the shorter side up to which `stem: auto` means small. torchvision's stem takes away
# three quarters of each side, and the stages behind it seven eighths of the rest: of 64 pixels it
# would leave 2, of CIFAR's 32 one.
SMALL = 64


class Settings(Section):
    """The stem; everything else is torchvision's."""

    # small: a 3x3 convolution of stride 1 and no max-pool, as usual for CIFAR; large: torchvision's
    # 7x7 of stride 2 and max-pool
    stem: Literal["auto", "small", "large"] = "auto"


def fitted(
    network: "ResNet", settings: Settings, *, channels: int, height: int, width: int
) -> "nn.Module":
    """`network` with a stem for images of this size and these channels, initialised as torchvision
    does.
    """
    from torch import nn

    small = settings.stem == "small" or (settings.stem == "auto" and min(height, width) <= SMALL)
    if small:
        network.maxpool = nn.Identity()
    if small or channels != network.conv1.in_channels:
        size, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        network.conv1 = nn.Conv2d(
            channels, network.conv1.out_channels, size, stride, padding, bias=False
        )
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    return cast("nn.Module", network)
