"""Pruning: zeros that stay zero, tensors that really shrink, for every architecture."""

import importlib
import json
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from duli.compression import narrow, sparse
from duli.compression.attempt import LeftOut
from duli.kinds.image.learning.inputs import Pixels
from duli.models.shared.params import architectures
from duli.training.loop import fit
from tests.training.examples import CLASSES, SIDE, TASK, examples, network, recipe

SMALL: dict[str, dict[str, Any]] = {
    "convnet": {"filters": 8, "hidden": 16, "normalisation": "batch"},
    "fastconv": {"stem": 8, "blocks": [[8], [12]]},
    "mlp": {"widths": [10, 20], "dropout": 0.5},
    "resnet18": {},
    "resnet50": {},
    "vit_b_16": {"patch": 8},
}
EXPENSIVE = {"resnet18", "resnet50", "vit_b_16"}


def tuned(model: nn.Module) -> nn.Module:
    """`model` after a few steps."""
    fit(
        model,
        examples(96),
        examples(50, seed=1),
        recipe(epochs=1),
        task=TASK,
        preprocessing=Pixels(0.3, 0.2),
        device=torch.device("cpu"),
        precision=torch.float32,
        on_metrics=lambda *_: None,
        teacher=network(),
    )
    return model


def kernels(model: nn.Module) -> torch.Tensor:
    return torch.cat(
        [
            layer.weight.detach().flatten()
            for layer in model.modules()
            if isinstance(layer, nn.Conv2d | nn.Linear)
        ]
    )


def test_the_smallest_weights_over_all_layers_become_zero_and_stay_so() -> None:
    model = network()
    before = kernels(model)
    pruned = sparse.pruned(model, 0.7)
    assert torch.equal(kernels(model), before)
    gone = kernels(pruned) == 0
    assert gone.float().mean().item() == pytest.approx(0.7, abs=0.01)
    assert before[gone].abs().max() <= before[~gone].abs().min()
    solid = sparse.solid(tuned(pruned))
    assert torch.equal(kernels(solid) == 0, gone)
    assert not torch.equal(kernels(solid)[~gone], before[~gone])
    assert not prune.is_pruned(solid)  # type: ignore[no-untyped-call]


def test_a_network_without_layers_to_prune_is_left_out() -> None:
    with pytest.raises(LeftOut, match=r"convolution.*linear"):
        sparse.pruned(nn.Sequential(nn.Flatten()), 0.5)


def test_none_is_forgotten() -> None:
    # channels of images are what is narrowed
    assert set(SMALL) == set(architectures()) - {"encoder"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in EXPENSIVE else name for name in SMALL],
)
def test_narrow_tensors_are_smaller_and_still_learn(name: str) -> None:
    architecture = importlib.import_module(f"duli.models.{name}")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = architecture.Settings.model_validate_json(json.dumps(SMALL[name]))
        model = architecture.build(settings, channels=1, height=SIDE, width=SIDE, outputs=CLASSES)
    weights = sum(weight.numel() for weight in model.parameters())
    smaller = narrow.narrowed(model, torch.zeros(2, 1, SIDE, SIDE), 0.5)
    assert sum(weight.numel() for weight in model.parameters()) == weights
    assert sum(weight.numel() for weight in smaller.parameters()) < 0.7 * weights
    logits = smaller.train()(torch.randn(8, 1, SIDE, SIDE))
    assert logits.shape == (8, CLASSES)
    # some heads begin with zeros
    torch.nn.functional.cross_entropy(logits, torch.arange(8) % CLASSES).backward()
    assert any(
        weight.grad is not None and weight.grad.abs().sum() > 0 for weight in smaller.parameters()
    )


def test_the_weakest_channel_goes() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4, 3))
    with torch.no_grad():
        model[0].weight[2] = 0
        model[0].bias[2] = 0  # type: ignore[index]
    smaller = narrow.narrowed(model.eval(), torch.zeros(2, 1, 4, 4), 0.25)
    images = torch.randn(10, 1, 4, 4)
    assert smaller.get_submodule("0").weight.shape == (3, 1, 3, 3)
    torch.testing.assert_close(smaller(images), model(images))


def test_a_network_without_channels_to_spare_is_left_out() -> None:
    with pytest.raises(LeftOut, match=r"quantize\.narrow\.share"):
        narrow.narrowed(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), torch.zeros(2, 1, 4, 4), 0.5)
