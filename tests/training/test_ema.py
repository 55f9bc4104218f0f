"""The average of the weights against a plain loop, and the weights themselves untouched by it."""

import pytest
import torch
from torch import nn

from duli.training.ema import Average
from tests.training.examples import network, weights


def drift(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            value += (
                torch.rand(value.shape, generator=generator).to(value.dtype)
                if value.is_floating_point()
                else 1
            )


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.998])
def test_it_is_the_recursion_of_a_plain_loop(decay: float) -> None:
    model = network()
    average = Average(model, decay)
    wanted = {
        name: value.double()
        for name, value in model.state_dict().items()
        if value.is_floating_point()
    }
    for step in range(1, 31):
        drift(model, step)
        average.update(step)
        now = min(decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if name in wanted:
                wanted[name] = now * wanted[name] + (1 - now) * value.double()
    assert average.tensors.keys() == wanted.keys()
    assert {name for name in wanted if "running" in name}
    for name, value in average.tensors.items():
        assert torch.allclose(value.double(), wanted[name], rtol=1e-5), name


def test_the_beginning_is_soon_forgotten() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = Average(model, 0.999)
    nn.init.ones_(model.weight)
    for step in range(1, 21):
        average.update(step)
    assert average.tensors["weight"].item() > 0.999  # at the full decay from the start: 0.02


def test_in_place_lends_the_averages_and_gives_the_weights_back() -> None:
    model = network()
    average = Average(model, 0.5)
    drift(model, 1)
    average.update(1)
    before = weights(model)
    averages = {name: value.clone() for name, value in average.tensors.items()}
    with average.in_place():
        assert all(torch.equal(model.state_dict()[name], value) for name, value in averages.items())
    assert all(map(torch.equal, before, weights(model)))
    assert all(torch.equal(average.tensors[name], value) for name, value in averages.items())


def test_keep_leaves_the_averages_for_good() -> None:
    model = network()
    average = Average(model, 0.5)
    drift(model, 1)
    count = model.state_dict()["1.num_batches_tracked"].clone()
    average.update(1)
    average.keep()
    assert all(
        torch.equal(model.state_dict()[name], value) for name, value in average.tensors.items()
    )
    assert torch.equal(model.state_dict()["1.num_batches_tracked"], count)  # a count is no average


def test_training_on_does_not_change_what_was_averaged() -> None:
    model = network()
    average = Average(model, 0.5)
    before = {name: value.clone() for name, value in average.tensors.items()}
    drift(model, 1)
    assert all(torch.equal(average.tensors[name], value) for name, value in before.items())
