"""An attack finds what noise does not, keeps to its ball, and leaves the model as it was."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from duli.evaluation.judged import Loss
from duli.evaluation.predict import BATCH, Images, torch_logits
from duli.kinds.image.judging.attack import pgd
from tests.evaluation.bars import MEAN, STD, Labels, bars, trained
from tests.exported import whole

NORMALISATION = {"mean": MEAN, "std": STD}


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return trained()


def to(labels: Labels) -> Loss:
    """The cross-entropy to the labels."""

    def loss(outputs: torch.Tensor, part: slice) -> torch.Tensor:
        return functional.cross_entropy(outputs, torch.from_numpy(labels[part]), reduction="none")

    return loss


def accuracy(model: nn.Module, images: Images, labels: Labels) -> float:
    return float((torch_logits(whole(model, MEAN, STD), images).argmax(axis=1) == labels).mean())


def test_attack_is_worse_than_noise_of_its_size(model: nn.Module) -> None:
    images, labels = bars(300, seed=1)
    attacked = pgd(model, images, to(labels), epsilon=0.1, steps=10, seed=0, **NORMALISATION)
    signs = np.random.default_rng(0).choice([-25, 25], images.shape)
    noisy = (images + signs).clip(0, 255).astype(np.uint8)
    assert accuracy(model, images, labels) > 0.97
    assert accuracy(model, attacked, labels) < accuracy(model, noisy, labels) - 0.3


def test_more_room_is_worse(model: nn.Module) -> None:
    images, labels = bars(300, seed=1)
    shares = [
        accuracy(
            model,
            pgd(model, images, to(labels), epsilon=epsilon, steps=10, seed=0, **NORMALISATION),
            labels,
        )
        for epsilon in (0, 0.05, 0.2)
    ]
    assert shares[0] > shares[1] > shares[2]


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1), st.integers(1, 3), st.floats(0, 2), st.integers(0, 2**40))
def test_it_stays_in_the_ball(epsilon: float, steps: int, step: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = generator.choice(np.array([0, 1, 100, 254, 255], np.uint8), (3, 1, 12, 12))
    attacked = pgd(
        trained(),
        images,
        to(np.zeros(3, np.int64)),
        epsilon=epsilon,
        steps=steps,
        step=step,
        seed=seed,
        **NORMALISATION,
    )
    assert attacked.dtype == np.uint8
    assert np.abs(attacked.astype(int) - images).max() <= epsilon * 255 + 1e-6


def test_the_ball_is_used_to_its_border(model: nn.Module) -> None:
    images, labels = bars(50, seed=1)
    attacked = pgd(
        model, images, to(labels), epsilon=0.031372549, steps=10, seed=0, **NORMALISATION
    )
    # 8 / 255, which was cut after nine digits
    assert np.abs(attacked.astype(int) - images).max() == 8


def test_no_room_changes_nothing(model: nn.Module) -> None:
    images, labels = bars(5)
    assert (
        pgd(model, images, to(labels), epsilon=0.0, steps=3, seed=0, **NORMALISATION) == images
    ).all()
    assert pgd(
        model, images[:0], to(labels), epsilon=0.1, steps=3, seed=0, **NORMALISATION
    ).shape == (0, 1, 12, 12)


def test_the_seed_decides(model: nn.Module) -> None:
    images, labels = bars(20)
    once, again, other = (
        pgd(model, images, to(labels), epsilon=0.1, steps=2, seed=seed, **NORMALISATION)
        for seed in (1, 1, 2)
    )
    assert (once == again).all()
    assert (once != other).any()


def test_further_batches_change_nothing(model: nn.Module) -> None:
    images, labels = bars(BATCH + 20)
    whole = pgd(model, images, to(labels), epsilon=0.1, steps=2, seed=0, **NORMALISATION)
    first = pgd(model, images[:BATCH], to(labels), epsilon=0.1, steps=2, seed=0, **NORMALISATION)
    assert (whole[:BATCH] == first).all()


def test_one_step_is_up_the_gradient(model: nn.Module) -> None:
    """Against the fast gradient sign method, from the place in the ball at which the attack
    begins.
    """
    images, labels = bars(1)
    begin = np.random.default_rng(3).random(images.shape, dtype=np.float32) * 2 - 1
    pixels = torch.from_numpy(
        (images + begin * 10).clip(0, 255).astype(np.float32)
    ).requires_grad_()
    functional.cross_entropy(
        model((pixels / 255 - MEAN) / STD), torch.from_numpy(labels)
    ).backward()
    assert pixels.grad is not None
    expected = (pixels.detach() + 4 * pixels.grad.sign()).numpy()
    expected = expected.clip(
        np.maximum(images.astype(int) - 10, 0), np.minimum(images.astype(int) + 10, 255)
    ).round()
    attacked = pgd(
        model, images, to(labels), epsilon=10 / 255, steps=1, step=4 / 255, seed=3, **NORMALISATION
    )
    assert (attacked == expected).mean() > 0.99


def test_the_model_is_left_as_it_was() -> None:
    model = trained().train()
    model[1].eval()
    model[0].weight.requires_grad_(requires_grad=False)
    model[-1].weight.grad = torch.ones_like(model[-1].weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images, labels = bars(10)
    attacked = pgd(model, images, to(labels), epsilon=0.1, steps=2, seed=0, **NORMALISATION)
    assert (
        attacked
        == pgd(trained(), images, to(labels), epsilon=0.1, steps=2, seed=0, **NORMALISATION)
    ).all()
    assert [module.training for module in model] == [index != 1 for index in range(len(model))]
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()] == [False] + [True] * (
        len(list(model.parameters())) - 1
    )
    assert (model[-1].weight.grad == 1).all()
    assert model[-1].bias.grad is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_mode_comes_back_after_an_error() -> None:
    model = trained().train()
    with pytest.raises(RuntimeError):
        pgd(
            model,
            np.zeros((2, 5, 12, 12), np.uint8),
            to(np.zeros(2, np.int64)),
            epsilon=0.1,
            steps=1,
            seed=0,
            **NORMALISATION,
        )
    assert all(module.training for module in model.modules())
