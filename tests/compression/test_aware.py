"""A network that learns with the rounding of int8 survives it."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from duli.compression import aware, int8
from duli.evaluation.predict import onnx_logits, torch_logits
from duli.kinds.image.learning.inputs import Pixels
from duli.training.loop import fit
from tests.exported import to_onnx, whole
from tests.training.examples import SIDE, TASK, examples, network, recipe

MEAN, STD = 0.3, 0.2


def trained() -> nn.Module:
    """Running statistics that are its own, so that folding has something to do."""
    model = network().train()
    with torch.no_grad():
        for _ in range(5):
            model(torch.randn(64, 1, SIDE, SIDE))
    return model.eval()


def right(logits: np.ndarray, labels: torch.Tensor) -> float:
    return float((logits.argmax(axis=1) == labels.numpy()).mean())


def test_folding_changes_no_answer_and_leaves_the_network_alone() -> None:
    model = trained()
    before = copy.deepcopy(model.state_dict())
    folded = aware.plain(aware.rounding(model)).eval()
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    images = torch.randn(20, 1, SIDE, SIDE)
    torch.testing.assert_close(folded(images), model(images), atol=1e-5, rtol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_linear_layers_are_folded_too() -> None:
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(9, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)
    )
    model(torch.randn(50, 1, 3, 3))
    images = torch.randn(20, 1, 3, 3)
    folded = aware.plain(aware.rounding(model.eval())).eval()
    assert len([*folded.children()]) == 4
    torch.testing.assert_close(folded(images), model(images), atol=1e-5, rtol=1e-5)


def test_weights_have_no_more_than_129_values_a_channel_and_gradients_pass() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2000))
    rounding = aware.rounding(model).train()
    images = torch.randn(64, 1, 3, 3)
    # Of unit vectors the outputs of the last layer would be its weights; its bias is taken away.
    last = rounding.get_submodule("2")
    last.eval()
    last.of_bytes = True  # type: ignore[assignment]  # weights alone
    weights = last(torch.eye(2)) - last(torch.zeros(1, 2))
    scale = model[2].weight.detach().abs().amax(dim=1) / 64
    levels = weights.T / scale[:, None]
    torch.testing.assert_close(levels, levels.round(), atol=1e-2, rtol=0)
    rounding(images).square().sum().backward()
    assert all(
        weight.grad is not None and weight.grad.abs().sum() > 0 for weight in rounding.parameters()
    )


def test_the_input_of_later_layers_is_rounded_that_of_the_first_is_not() -> None:
    rounding = aware.rounding(
        nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    ).train()
    with torch.no_grad():
        for layer in ("1", "2"):
            rounding.get_submodule(f"{layer}.layer").weight.fill_(1.0)
    images = torch.linspace(0, 1, 10_000).view(-1, 1)
    assert len(rounding(images).unique()) == 256
    rounding.get_submodule("2").of_bytes = True  # type: ignore[assignment]
    assert len(rounding(images).unique()) > 9_000


@pytest.mark.slow
def test_it_beats_plain_int8_on_a_network_with_an_outlier_channel() -> None:
    """One channel a thousand times the others: of these int8 then sees nothing, since all of a
    tensor's activations share one scale.
    """
    train, validation = examples(600), examples(400, seed=1)
    given = {
        "task": TASK,
        "preprocessing": Pixels(MEAN, STD),
        "device": torch.device("cpu"),
        "precision": torch.float32,
        "on_metrics": lambda *_: None,
    }
    model = network()
    fit(model, train, validation, recipe(), **given)
    with torch.no_grad():
        model[1].weight[0] *= 1000  # type: ignore[index]
        model[1].bias[0] *= 1000  # type: ignore[index]
        model[3].weight[:, 0] /= 1000  # type: ignore[index]
    rounding = aware.rounding(model)
    fit(rounding, train, validation, recipe(epochs=3, learning_rate=0.003), teacher=model, **given)
    accuracy = {}
    for name, one in (("plain", model), ("aware", aware.plain(rounding))):
        exported = to_onnx(one.eval(), (1, SIDE, SIDE), MEAN, STD)
        content = int8.quantize(exported, train.inputs.numpy()[:128], "minmax")
        accuracy[name] = right(onnx_logits(content, validation.inputs.numpy()), validation.targets)
    float32 = torch_logits(whole(model, MEAN, STD), validation.inputs.numpy())
    assert right(float32, validation.targets) > 0.99
    assert accuracy["plain"] < 0.5
    assert accuracy["aware"] > accuracy["plain"] + 0.3
