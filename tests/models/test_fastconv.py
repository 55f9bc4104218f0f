"""The fast network: shapes, sizes it cannot take, and nothing in it that does not quantize."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import save
from torch import nn

from duli.base import files
from duli.base.errors import ParamsError
from duli.models import fastconv
from duli.models.fastconv import Settings
from duli.models.shared.params import architectures
from tests.closure import ROOT

SMALL = Settings(stem=4, blocks=((4,), (8, 8)))
FULL = SMALL.model_copy(update={"resolution": "full"})


@pytest.mark.parametrize("settings", [SMALL, FULL])
@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 28, 28), (3, 32, 32), (1, 11, 29), (2, 64, 17)]
)
def test_gives_logits_for_the_sizes_it_can_take(
    settings: Settings, channels: int, height: int, width: int
) -> None:
    model = fastconv.build(settings, channels=channels, height=height, width=width, outputs=7)
    assert model(torch.zeros(3, channels, height, width)).shape == (3, 7)


def test_a_mirrored_network_answers_an_image_and_its_mirror_image_alike_and_learns() -> None:
    images = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    models = []
    for mirrored in (False, True):
        torch.manual_seed(0)
        models.append(
            fastconv.build(
                FULL.model_copy(update={"mirrored": mirrored}),
                channels=1,
                height=28,
                width=28,
                outputs=7,
            )
        )
    plain, mirrored_ = models
    assert plain.state_dict().keys() == mirrored_.state_dict().keys()
    assert torch.equal(plain(images), mirrored_(images))  # in training
    plain.eval(), mirrored_.eval()
    assert torch.allclose(mirrored_(images), (plain(images) + plain(images.flip(3))) / 2)
    assert torch.allclose(mirrored_(images), mirrored_(images.flip(3)), atol=1e-6)
    assert not torch.allclose(plain(images), plain(images.flip(3)), atol=1e-4)


@pytest.mark.parametrize("resolution", ["half", "full"])
@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 4])
def test_the_smallest_size_named_is_the_smallest_that_works(resolution: str, blocks: int) -> None:
    settings = Settings(stem=2, blocks=((2,),) * blocks, resolution=resolution)
    smallest = fastconv._smallest(settings)
    model = fastconv.build(settings, channels=1, height=smallest, width=smallest, outputs=2)
    assert model(torch.zeros(2, 1, smallest, smallest)).shape == (2, 2)
    with pytest.raises(
        ParamsError,
        match=f"{smallest} .* {smallest} x {smallest - 1}.*blocks",
    ):
        fastconv.build(settings, channels=1, height=smallest, width=smallest - 1, outputs=2)


def test_a_full_resolution_keeps_every_pixel_until_the_first_pool() -> None:
    *layers, _, last = fastconv.build(FULL, channels=1, height=28, width=28, outputs=10)
    sides, values = [], torch.zeros(1, 1, 28, 28)
    for layer in layers:
        values = layer(values)
        sides.append(values.shape[-1])
    assert sides == [28] * 6 + [14] * 7 + [7]
    assert isinstance(last, nn.Linear)
    assert last.in_features == 8 * 7 * 7


@pytest.mark.parametrize("settings", [SMALL, FULL])
def test_batch_normalisation_follows_its_convolution_so_that_it_folds(settings: Settings) -> None:
    layers = list(fastconv.build(settings, channels=1, height=28, width=28, outputs=10))
    assert {type(layer) for layer in layers} == {
        nn.Conv2d,
        nn.BatchNorm2d,
        nn.ReLU,
        nn.MaxPool2d,
        nn.Flatten,
        nn.Linear,
    }
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            assert [type(follower) for follower in layers[index + 1 : index + 3]] == [
                nn.BatchNorm2d,
                nn.ReLU,
            ]


def test_the_default_network_is_drawn_as_it_always_was() -> None:
    """For a seed the same weights under the same names; the digest was taken before the common
    settings were there.
    """
    with torch.random.fork_rng():
        torch.manual_seed(17)
        model = fastconv.build(
            Settings(stem=32, blocks=((32,), (64, 64))), channels=1, height=28, width=28, outputs=10
        )
    assert (
        files.sha256(save(model.state_dict()))
        == "3b51038aa92c3c35bdfaa5c0331f72636de784350004b4e6832af1d2c8a9a581"
    )


def test_other_settings_make_other_layers() -> None:
    settings = Settings(
        stem=4,
        blocks=((4,),),
        activation="silu",
        normalisation="none",
        dropout=0.5,
        initialisation="he",
    )
    model = fastconv.build(settings, channels=1, height=28, width=28, outputs=10)
    assert [type(layer).__name__ for layer in model] == [
        *["Conv2d", "SiLU"] * 2,
        "MaxPool2d",
        "Flatten",
        "Dropout",
        "Linear",
    ]
    assert all(
        layer.bias is not None and not layer.bias.any()
        for layer in model
        if isinstance(layer, nn.Conv2d)
    )


@pytest.mark.parametrize("name", architectures())
def test_settings_need_no_torch(name: str) -> None:
    code = f"import sys, duli.models.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
