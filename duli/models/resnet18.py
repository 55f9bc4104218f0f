"""ResNet-18 of torchvision, fitted to the size and the channels of the images (see _resnet.py)."""

from typing import TYPE_CHECKING

from duli.models.shared.resnet import Settings, fitted

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Settings", "build"]


def build(
    settings: Settings, *, channels: int, height: int, width: int, outputs: int
) -> "nn.Module":
    """The network: floats [n, channels, height, width] -> logits [n, outputs]."""
    from torchvision.models import resnet18

    return fitted(
        resnet18(num_classes=outputs), settings, channels=channels, height=height, width=width
    )
