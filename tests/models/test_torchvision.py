"""torchvision's networks fitted to small images: shapes, stems, and names of the weights that
published ones go by.
"""

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from duli.base.errors import ParamsError
from duli.models import resnet18, resnet50, vit_b_16

RESNETS = {"resnet18": resnet18, "resnet50": resnet50}


def meta(architecture: Any, settings: Any, **sizes: int) -> nn.Module:
    """A network without content: shapes alone, at once."""
    with torch.device("meta"):
        return architecture.build(
            settings, **{"channels": 3, "height": 224, "width": 224, "outputs": 1000, **sizes}
        )


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def published(name: str) -> nn.Module:
    with torch.device("meta"):
        return getattr(torchvision.models, name)()


@pytest.mark.parametrize(("name", "architecture"), [*RESNETS.items(), ("vit_b_16", vit_b_16)])
def test_published_weights_fit_at_their_own_size(name: str, architecture: Any) -> None:
    assert shapes(meta(architecture, architecture.Settings())) == shapes(published(name))


@pytest.mark.parametrize("name", RESNETS)
def test_of_small_grey_images_only_the_first_and_the_last_layer_differ(name: str) -> None:
    architecture = RESNETS[name]
    ours, theirs = (
        shapes(
            meta(architecture, architecture.Settings(), channels=1, height=28, width=28, outputs=10)
        ),
        shapes(published(name)),
    )
    assert list(ours) == list(theirs)
    assert {key for key in ours if ours[key] != theirs[key]} == {
        "conv1.weight",
        "fc.weight",
        "fc.bias",
    }


@pytest.mark.parametrize(
    ("stem", "side", "kernel", "left"),
    [("auto", 64, 3, 8), ("auto", 65, 7, 3), ("small", 65, 3, 9), ("large", 64, 7, 2)],
)
def test_the_stem_goes_by_the_size_or_the_setting(
    stem: str, side: int, kernel: int, left: int
) -> None:
    model: Any = meta(resnet18, resnet18.Settings(stem=stem), height=side, width=side + 20)  # type: ignore[arg-type]
    assert model.conv1.weight.shape == (64, 3, kernel, kernel)
    sides = []
    model.layer4.register_forward_hook(
        lambda _module, _inputs, output: sides.append(output.shape[2])
    )
    with torch.device("meta"):
        model(torch.zeros(2, 3, side, side + 20))
    assert sides == [left]


def test_a_residual_network_answers_and_learns() -> None:
    model = resnet18.build(resnet18.Settings(), channels=1, height=8, width=11, outputs=5)
    logits = model(torch.randn(2, 1, 8, 11))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    assert all(
        weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters()
    )


def test_of_small_images_the_transformer_keeps_its_layers() -> None:
    ours = meta(vit_b_16, vit_b_16.Settings(patch=7), channels=1, height=28, width=28, outputs=10)
    theirs = shapes(published("vit_b_16"))
    assert {key for key, shape in shapes(ours).items() if shape != theirs[key]} == {
        "conv_proj.weight", "encoder.pos_embedding", "heads.head.weight", "heads.head.bias",
    }  # fmt: skip
    with torch.device("meta"):
        assert ours(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("patch", "height", "width", "complaint"),
    [
        (
            5,
            28,
            28,
            (
                r"model.vit_b_16.patch = 5 does not divide the 28 pixels of the images' side; take"
                r" one of 2, 4, 7, 14, 28"
            ),
        ),
        (7, 28, 35, r"vit_b_16 needs square images, these are 28 x 35; take another model.name"),
    ],
)
def test_patches_that_do_not_fit_are_told(
    patch: int, height: int, width: int, complaint: str
) -> None:
    with pytest.raises(ParamsError, match=complaint):
        vit_b_16.build(
            vit_b_16.Settings(patch=patch), channels=1, height=height, width=width, outputs=10
        )
