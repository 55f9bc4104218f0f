"""The tutorials' convolutional network: its sizes, and the sizes it cannot take."""

import pytest
import torch

from duli.base.errors import ParamsError
from duli.models import convnet
from duli.models.convnet import Settings

TUTORIAL = Settings(filters=32, hidden=128)


def test_is_the_network_of_tutorials() -> None:
    model = convnet.build(TUTORIAL, channels=1, height=28, width=28, outputs=10)
    assert [type(layer).__name__ for layer in model] == [
        "Conv2d",
        "ReLU",
        "MaxPool2d",
        "Flatten",
        "Linear",
        "ReLU",
        "Linear",
    ]
    # As Keras's model.summary() counts them: two convolving and pooling layers, then 128 and 10.
    assert (
        sum(weight.numel() for weight in model.parameters())
        == 320 + (13 * 13 * 32 + 1) * 128 + 129 * 10
    )


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 4, 4), (3, 5, 4), (2, 9, 31)])
def test_gives_logits_for_the_sizes_it_can_take(channels: int, height: int, width: int) -> None:
    settings = Settings(
        filters=3,
        hidden=4,
        normalisation="batch",
        dropout=0.5,
        initialisation="he",
        activation="silu",
    )
    model = convnet.build(settings, channels=channels, height=height, width=width, outputs=7)
    assert model(torch.zeros(2, channels, height, width)).shape == (2, 7)
    assert [type(layer).__name__ for layer in model][-2:] == ["Dropout", "Linear"]


@pytest.mark.parametrize(("height", "width"), [(3, 28), (28, 3)])
def test_too_small_an_image_is_told(height: int, width: int) -> None:
    with pytest.raises(
        ParamsError,
        match=rf"convnet.*\b4\b.* {height} x {width}.*model\.name",
    ):
        convnet.build(TUTORIAL, channels=1, height=height, width=width, outputs=10)
