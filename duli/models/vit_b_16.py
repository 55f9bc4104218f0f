"""The Vision Transformer ViT-B of torchvision (12 layers, 768 wide, 12 heads), with patches that
suit the images.

Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv 2010.11929. All names of the weights stay
torchvision's, so its published weights (patches of 16 pixels, images of 224) fit wherever the
shapes do: everything but `heads.head` at other classes, `conv_proj` at other patches or channels,
`encoder.pos_embedding` at another number of patches. 86 million parameters: meant for transfer
learning.
"""

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from duli.base.errors import ParamsError
from duli.base.params import Section

if TYPE_CHECKING:
    from torch import nn


class Settings(Section):
    """The patches and the dropout; all else is torchvision's."""

    # pixels a side; has to divide the side of the image
    patch: Annotated[int, Field(ge=1, le=1024)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # after the embedding and in each layer


def build(
    settings: Settings, *, channels: int, height: int, width: int, outputs: int
) -> "nn.Module":
    """The network: floats [n, channels, height, width] -> logits [n, outputs].

    Raises `ParamsError` if the images are not square or the patches do not divide them.
    """
    from torchvision.models import VisionTransformer

    if height != width:
        raise ParamsError(
            f"model: vit_b_16 needs square images, these are {height} x {width}; take another"
            " model.name"
        )
    if height % settings.patch:
        divisors = ", ".join(str(side) for side in range(2, height + 1) if height % side == 0)
        raise ParamsError(
            f"model.vit_b_16.patch = {settings.patch} does not divide the {height} pixels of the"
            f" images' side; take one of {divisors or 1}"
        )
    network = VisionTransformer(
        image_size=height,
        patch_size=settings.patch,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        mlp_dim=3072,
        dropout=settings.dropout,
        num_classes=outputs,
    )
    if channels != network.conv_proj.in_channels:
        network.conv_proj = _projection(channels, settings.patch, network.hidden_dim)
    return cast("nn.Module", network)


def _projection(channels: int, patch: int, wide: int) -> "nn.Module":
    """A patch -> a vector, initialised as torchvision does."""
    from torch import nn

    layer = nn.Conv2d(channels, wide, patch, patch)
    nn.init.trunc_normal_(layer.weight, std=(channels * patch * patch) ** -0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
