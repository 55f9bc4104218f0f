"""A network as a stack: which weights are a layer, and what stands still when it is frozen."""

import pytest
import torch
from torch import nn

from duli.models import resnet18
from duli.training import layers
from tests.training.examples import network, weights


def names(model: nn.Module) -> list[list[str]]:
    own = {id(weight): name for name, weight in model.named_parameters()}
    return [[own[id(weight)] for weight in layer] for layer in layers.layers(model)]


def test_a_normalisation_belongs_to_the_layer_before_it() -> None:
    assert names(network()) == [
        ["0.weight", "1.weight", "1.bias"],
        ["3.weight", "4.weight", "4.bias"],
        ["8.weight", "8.bias"],
    ]


def test_a_normalisation_of_the_input_is_a_layer() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2), nn.LayerNorm(2))
    assert names(model) == [["0.weight", "0.bias"], ["1.weight", "1.bias", "2.weight", "2.bias"]]


def test_nested_networks_have_every_weight_once_with_the_head_last() -> None:
    model = resnet18.build(resnet18.Settings(), channels=1, height=12, width=12, outputs=3)
    stack = names(model)
    assert sorted(name for layer in stack for name in layer) == sorted(
        name for name, _ in model.named_parameters()
    )
    assert stack[0] == ["conv1.weight", "bn1.weight", "bn1.bias"]
    assert stack[-1] == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("below", [0, 1, 2])
def test_frozen_layers_keep_weights_and_statistics_and_the_others_learn(below: int) -> None:
    model = network()
    model.train()
    layers.freeze(model, below)
    frozen = {id(weight) for layer in layers.layers(model)[:below] for weight in layer}
    assert [id(weight) in frozen for weight in model.parameters()] == [
        not weight.requires_grad for weight in model.parameters()
    ]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(
        torch.randn(8, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    ).square().sum().backward()
    optimizer.step()
    changed = {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    # Layer 0 is module 0 and its normalisation 1, layer 1 is 3 and 4, the head is 8.
    still = {0: (), 1: ("0.", "1."), 2: ("0.", "1.", "3.", "4.")}[below]
    assert changed == {name for name in before if not name.startswith(still or ("none",))}


def test_freed_layers_learn_again() -> None:
    model = network()
    layers.freeze(model, 2)
    layers.freeze(model, 0)
    assert all(weight.requires_grad for weight in model.parameters())


def test_freezing_changes_no_weight() -> None:
    model = network()
    before = weights(model)
    layers.freeze(model, 2)
    assert all(map(torch.equal, before, weights(model)))
