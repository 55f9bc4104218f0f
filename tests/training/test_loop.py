"""The loop learns, repeats itself to the bit, tells how it goes, and stops before it does harm."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from duli.errors import DataError, GateError
from duli.training.loop import EVALUATIONS, METRICS_EVERY, Examples, Normalisation, Point, evaluate, fit
from duli.training.params import Training
from tests.training.examples import CLASSES, examples, network, recipe, weights

NORMALISATION = Normalisation(0.29, 0.2)


def run(model: nn.Module, settings: Training, **changes: Any) -> list[Point]:
    arguments = {
        "train": examples(640, seed=1),
        "validation": examples(160, seed=2),
        "classes": CLASSES,
        "normalisation": NORMALISATION,
        "device": torch.device("cpu"),
        "precision": torch.float32,
        "on_metrics": lambda step, metrics: None,
        **changes,
    }
    return fit(model, arguments.pop("train"), arguments.pop("validation"), settings, **arguments)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_learns(precision: torch.dtype) -> None:
    model = network()
    before, _ = evaluate(model, examples(160, seed=2), NORMALISATION)
    history = run(model, recipe(), precision=precision)
    assert history[-1].validation_correct >= 152
    assert history[-1].validation_loss < before / 2
    assert all(value.dtype != torch.bfloat16 for value in weights(model))


def test_two_runs_have_the_same_bits_whatever_the_global_generator() -> None:
    first, second, other = network(), network(), network()
    histories = [run(first, recipe())]
    torch.rand(7)
    before = torch.random.get_rng_state()
    histories.append(run(second, recipe()))
    assert torch.equal(before, torch.random.get_rng_state())
    run(other, recipe(seed=1))
    assert histories[0] == histories[1]
    assert all(map(torch.equal, weights(first), weights(second)))
    assert not torch.equal(first[0].weight, other[0].weight)


def test_the_last_point_is_the_network_that_is_left() -> None:
    model = network()
    validation = examples(160, seed=2)
    last = run(model, recipe(), validation=validation)[-1]
    assert (last.validation_loss, last.validation_correct) == evaluate(model, validation, NORMALISATION)
    assert (last.step, last.epoch) == (20 + 10 + 10, 3)


@pytest.mark.parametrize(("rows", "epochs"), [(640, 3), (40, 1), (70, 1), (3, 2)])
def test_history_covers_the_run(rows: int, epochs: int) -> None:
    history = run(network(), recipe(epochs=epochs), train=examples(rows))
    steps = [point.step for point in history]
    assert steps == sorted(set(steps))
    assert len(history) <= EVALUATIONS
    assert all(math.isfinite(value) for point in history for value in point)


def test_metrics_are_told_on_the_way() -> None:
    told: list[tuple[int, dict[str, float]]] = []
    history = run(network(), recipe(), on_metrics=lambda step, metrics: told.append((step, metrics)))
    losses = {step: metrics["train_loss"] for step, metrics in told if "train_loss" in metrics}
    assert list(losses) == [METRICS_EVERY, 2 * METRICS_EVERY]
    accuracies = [metrics["validation_accuracy"] for _, metrics in told if "validation_accuracy" in metrics]
    assert accuracies == [point.validation_correct / 160 for point in history]


def test_evaluating_changes_nothing() -> None:
    model, validation = network(), examples(160, seed=2)
    before = weights(model)
    assert evaluate(model, validation, NORMALISATION) == evaluate(model, validation, NORMALISATION)
    assert all(map(torch.equal, before, weights(model)))


class Watched(nn.Module):
    """Counts, batch by batch, the examples marked by a bright corner."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.marked = network(), list[int]()

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.marked.append(int((images[:, 0, 0, 0] > 3).sum()))
        logits: Tensor = self.inner(images)
        return logits


def test_what_is_hard_is_seen_again() -> None:
    images, labels = examples(640)
    images[:, :, 0, 0] = 0
    images[5::10, :, 0, 0] = 255
    labels[5::10] = (labels[5::10] + 1) % CLASSES
    model = Watched()
    still = {"rotate": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0}
    run(model, recipe(epochs=2, hardest=0.2, augmentation=still), train=Examples(images, labels))
    assert sum(model.marked[:20]) == 64
    assert sum(model.marked[20:]) > 40  # by chance 13


class Poisoned(nn.Module):
    """Gives a loss that is not finite from the second batch on."""

    def __init__(self, poison: float) -> None:
        super().__init__()
        self.inner, self.poison, self.calls = network(), poison, 0
        self.as_it_was: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 2:
            self.as_it_was = [weight.detach().clone() for weight in self.inner.parameters()]
        logits: Tensor = self.inner(images)
        return logits * self.poison if self.calls >= 2 else logits


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(poison: float) -> None:
    model = Poisoned(poison)
    where = r"step 2 of 40 \(epoch 1, learning rate 0.00\d+, batch of 32 .* row \d+ of the train split\); lower"
    with pytest.raises(GateError, match=where):
        run(model, recipe())
    assert model.calls == 2
    assert all(map(torch.equal, model.as_it_was, model.inner.parameters()))


def test_a_network_lost_in_the_last_step_is_refused() -> None:
    model = network()
    with torch.no_grad():
        model[-1].weight.fill_(math.nan)
    with pytest.raises(GateError, match="validation loss is nan"):
        evaluate(model, examples(8), NORMALISATION)


@pytest.mark.parametrize("label", [CLASSES, -1, -100])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_labels_outside_the_classes_are_refused(split: str, label: int) -> None:
    damaged = examples(64)
    damaged.labels[5] = label
    model = network()
    before = weights(model)
    with pytest.raises(DataError, match=rf"row 5 of the {split} split has label {label}, the 4 classes are 0 to 3 \(1 such rows\)"):
        run(model, recipe(), **{split: damaged})
    assert all(map(torch.equal, before, weights(model)))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_empty_and_uneven_splits_are_refused(split: str) -> None:
    images, labels = examples(64)
    for damaged in (Examples(images[:0], labels[:0]), Examples(images, labels[:63])):
        with pytest.raises(DataError, match=f"the {split} split has"):
            run(network(), recipe(), **{split: damaged})
