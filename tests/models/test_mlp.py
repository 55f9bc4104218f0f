"""The multilayer perceptron: any input, any depth, and the settings that all networks of our own
share.
"""

import math

import pytest
import torch
from torch import nn

from duli.models import mlp
from duli.models.mlp import Settings

SIZES = {"channels": 3, "height": 5, "width": 7, "outputs": 4}


def kinds(settings: Settings) -> list[str]:
    return [type(layer).__name__ for layer in mlp.build(settings, **SIZES)]


@pytest.mark.parametrize("widths", [(), (1,), (10, 50), (8, 8, 8, 8)])
def test_gives_logits_whatever_the_depth(widths: tuple[int, ...]) -> None:
    model = mlp.build(Settings(widths=widths), **SIZES)
    assert model(torch.zeros(2, 3, 5, 7)).shape == (2, 4)
    assert [layer.out_features for layer in model if isinstance(layer, nn.Linear)] == [*widths, 4]


def test_the_network_of_tutorials_has_as_many_parameters_as_theirs() -> None:
    model = mlp.build(Settings(widths=(10, 50)), channels=1, height=28, width=28, outputs=10)
    assert sum(weight.numel() for weight in model.parameters()) == 785 * 10 + 11 * 50 + 51 * 10


def test_each_hidden_layer_gets_what_the_settings_say_and_zero_dropout_adds_nothing() -> None:
    assert kinds(Settings(widths=(6,))) == ["Flatten", "Linear", "ReLU", "Linear"]
    full = Settings(widths=(6, 5), activation="tanh", normalisation="batch", dropout=0.5)
    assert kinds(full) == ["Flatten", *["Linear", "BatchNorm1d", "Tanh", "Dropout"] * 2, "Linear"]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("relu", torch.relu),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("gelu", nn.functional.gelu),
        ("silu", nn.functional.silu),
        ("leaky_relu", nn.functional.leaky_relu),
    ],
)
def test_activations_are_those_named(activation: str, expected) -> None:
    layer = mlp.build(Settings(widths=(6,), activation=activation), **SIZES)[2]  # type: ignore[arg-type]
    values = torch.linspace(-3, 3, 13)
    assert torch.equal(layer(values), expected(values))


@pytest.mark.parametrize(
    ("initialisation", "activation", "hidden"),
    [
        ("he", "relu", math.sqrt(2 / 1000)),
        ("he", "gelu", math.sqrt(2 / 1000)),
        ("he", "tanh", 5 / 3 / math.sqrt(1000)),
        ("xavier", "sigmoid", math.sqrt(2 / 1500)),
        ("xavier", "relu", math.sqrt(2) * math.sqrt(2 / 1500)),
    ],
)
def test_initial_weights_have_the_deviation_of_the_recipe(
    initialisation: str, activation: str, hidden: float
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = Settings(widths=(500,), initialisation=initialisation, activation=activation)  # type: ignore[arg-type]
        first, last = (
            x
            for x in mlp.build(settings, channels=1, height=10, width=100, outputs=500)
            if isinstance(x, nn.Linear)
        )
    assert first.weight.std().item() == pytest.approx(hidden, rel=0.02)
    # fan_in = fan_out = 500 and no activation behind it: both recipes say the same
    assert last.weight.std().item() == pytest.approx(1 / math.sqrt(500), rel=0.02)
    assert not first.bias.any()
    assert not last.bias.any()
