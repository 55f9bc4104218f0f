"""The losses against torch's own functions and against numbers worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional

from duli.tasks.classification.learning import losses
from tests.training.examples import recipe

LOGITS = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)) * 3
LABELS = torch.tensor([0, 4, 2, 2, 1, 3, 0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_cross_entropy_is_that_of_the_smoothed_target(smoothing: float) -> None:
    each = losses.each(LOGITS, LABELS, recipe(label_smoothing=smoothing))
    target = functional.one_hot(LABELS, 5) * (1 - smoothing) + smoothing / 5
    assert torch.allclose(each, -(target * LOGITS.log_softmax(dim=1)).sum(dim=1), atol=1e-5)


def test_cross_entropy_by_hand() -> None:
    # Two classes of equal logits: log 2 whatever the target. Logits 0 and log 3: probabilities 1/4
    # and 3/4.
    logits, labels = torch.tensor([[1.0, 1.0], [0.0, math.log(3)]]), torch.tensor([0, 0])
    assert losses.each(logits, labels, recipe(label_smoothing=0.0)).tolist() == pytest.approx(
        [math.log(2), math.log(4)]
    )
    # a smoothing of 0.2 leaves 0.9 for the class
    smoothed = 0.9 * math.log(4) + 0.1 * math.log(4 / 3)
    assert losses.each(logits, labels, recipe(label_smoothing=0.2))[1].item() == pytest.approx(
        smoothed
    )


def test_mean_squared_error_is_torchs_without_smoothing() -> None:
    each = losses.each(LOGITS, LABELS, recipe(loss="mean_squared_error", label_smoothing=0.0))
    target = functional.one_hot(LABELS, 5).float()
    assert torch.allclose(each, functional.mse_loss(LOGITS, target, reduction="none").mean(dim=1))


def test_mean_squared_error_by_hand() -> None:
    settings = recipe(loss="mean_squared_error", label_smoothing=0.2)
    # Two classes, smoothing 0.2: the target is 0.9 and 0.1.
    each = losses.each(
        torch.tensor([[0.9, 0.1], [1.9, 0.1], [0.0, 0.0]]), torch.tensor([0, 0, 1]), settings
    )
    assert each.tolist() == pytest.approx([0.0, 0.5, (0.81 + 0.01) / 2], abs=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
def test_losses_are_float32_and_go_back(loss: str) -> None:
    logits = LOGITS.bfloat16().requires_grad_()
    each = losses.each(logits, LABELS, recipe(loss=loss))
    assert each.dtype == torch.float32
    assert each.shape == (7,)
    each.sum().backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum(dim=1) > 0).all()


def test_a_teacher_that_agrees_leaves_the_loss_of_the_labels_alone() -> None:
    taught = losses.taught(LOGITS, LOGITS.clone(), LABELS, recipe())
    torch.testing.assert_close(taught, (1 - losses.SOFT) * losses.each(LOGITS, LABELS, recipe()))


def test_a_teacher_adds_its_divergence_at_the_temperature() -> None:
    teacher = LOGITS.flip(1)
    p, q = (functional.softmax(one / losses.TEMPERATURE, dim=1) for one in (teacher, LOGITS))
    divergence = losses.TEMPERATURE**2 * (p * (p / q).log()).sum(dim=1)
    expected = losses.SOFT * divergence + (1 - losses.SOFT) * losses.each(LOGITS, LABELS, recipe())
    torch.testing.assert_close(losses.taught(LOGITS, teacher, LABELS, recipe()), expected)


def test_with_squared_errors_a_teacher_is_met_in_its_logits() -> None:
    settings = recipe(loss="mean_squared_error")
    expected = losses.SOFT * 4.0 + (1 - losses.SOFT) * losses.each(LOGITS, LABELS, settings)
    torch.testing.assert_close(losses.taught(LOGITS, LOGITS + 2, LABELS, settings), expected)
