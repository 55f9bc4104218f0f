"""ResNet-50 of torchvision, fitted to the size and the channels of the images (see _resnet.py)."""

from typing import TYPE_CHECKING

from duli.models.shared.resnet import Settings, fitted

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Settings", "build"]


def build(
    settings: Settings, *, channels: int, height: int, width: int, outputs: int
) -> "nn.Module":
    """The network: floats [n, channels, height, width] -> logits [n, outputs]."""
    from torchvision.models import resnet50

    return fitted(
        resnet50(num_classes=outputs), settings, channels=channels, height=height, width=width
    )
