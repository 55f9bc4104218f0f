"""Contributions of pixels add up to the answer, are those of the pixels that matter, and leave the
model as it was.
"""

import numpy as np
import pytest
import torch
from torch import nn

from duli.evaluation.predict import BATCH, torch_logits
from duli.kinds.image.judging.saliency import integrated_gradients
from tests.evaluation.bars import MEAN, STD, bars, trained
from tests.exported import whole

NORMALISATION = {"mean": MEAN, "std": STD}


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return trained()


def test_contributions_add_up_to_the_logit(model: nn.Module) -> None:
    images, _ = bars(40, seed=1)
    logits, black = (
        torch_logits(whole(model, MEAN, STD), some) for some in (images, np.zeros_like(images))
    )
    for classes in (logits.argmax(axis=1), np.arange(40) % 3):
        sums = integrated_gradients(model, images, outputs=classes, **NORMALISATION).sum(
            axis=(1, 2)
        )
        differences = (logits - black)[np.arange(40), classes]
        assert np.abs(sums - differences).max() < 0.02 * np.abs(logits).max()


def test_more_steps_are_nearer(model: nn.Module) -> None:
    images, labels = bars(40, seed=1)
    logits, black = (
        torch_logits(whole(model, MEAN, STD), some)[np.arange(40), labels]
        for some in (images, np.zeros_like(images))
    )
    errors = [
        np.abs(
            integrated_gradients(model, images, outputs=labels, steps=steps, **NORMALISATION).sum(
                axis=(1, 2)
            )
            - (logits - black)
        ).max()
        for steps in (1, 16, 256)
    ]
    assert errors[0] > 3 * errors[1]
    assert errors[1] > 3 * errors[2]


def test_of_a_linear_model_it_is_weight_times_pixel() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 4 * 5, 3))
    images = np.random.default_rng(0).integers(0, 256, (6, 2, 4, 5)).astype(np.uint8)
    classes = np.arange(6) % 3
    weights = model[1].weight.detach().numpy().reshape(3, 2, 4, 5)
    expected = (weights[classes] * images / 255 / STD).sum(axis=1)
    assert np.allclose(
        integrated_gradients(model, images, outputs=classes, steps=2, **NORMALISATION),
        expected,
        atol=1e-5,
    )


class Squares(nn.Module):
    """One logit: the sum of the squares of all pixels."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels**2).sum(dim=(1, 2, 3))[:, None]


def test_of_squares_one_step_is_exact() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 5)).astype(np.uint8)
    maps = integrated_gradients(Squares(), images, mean=0, std=1, steps=1)
    assert np.allclose(maps, (images[:, 0] / 255) ** 2, atol=1e-6)


def test_the_predicted_class_is_meant(model: nn.Module) -> None:
    images, _ = bars(BATCH + 10, seed=1)
    predicted = torch_logits(whole(model, MEAN, STD), images).argmax(axis=1)
    maps = integrated_gradients(model, images, steps=2, **NORMALISATION)
    assert maps.shape == (BATCH + 10, 12, 12)
    assert maps.dtype == np.float32
    assert (
        maps == integrated_gradients(model, images, outputs=predicted, steps=2, **NORMALISATION)
    ).all()
    assert (
        maps
        != integrated_gradients(
            model, images, outputs=(predicted + 1) % 3, steps=2, **NORMALISATION
        )
    ).any()


def test_the_network_looks_at_the_bar(model: nn.Module) -> None:
    images, labels = bars(200, seed=1)
    seen = labels < 2
    maps = integrated_gradients(
        model, images[seen], outputs=labels[seen], steps=16, **NORMALISATION
    )
    bar = images[seen, 0] == 180
    assert maps[bar].mean() > 5 * np.abs(maps[~bar]).mean()


def test_black_pixels_contribute_nothing(model: nn.Module) -> None:
    images, _ = bars(5)
    images[:, :, :6] = 0
    assert not integrated_gradients(model, images, **NORMALISATION)[:, :6].any()
    assert integrated_gradients(model, images[:0], **NORMALISATION).shape == (0, 12, 12)


def test_the_model_is_left_as_it_was() -> None:
    model = trained().train()
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images, _ = bars(10)
    maps = integrated_gradients(model, images, steps=2, **NORMALISATION)
    assert (maps == integrated_gradients(trained(), images, steps=2, **NORMALISATION)).all()
    assert [module.training for module in model] == [index != 1 for index in range(len(model))]
    assert all(
        parameter.grad is None and parameter.requires_grad for parameter in model.parameters()
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
