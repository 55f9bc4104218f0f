"""Weights of another network: taken whole, with a new head where the classes differ, or not
at all.
"""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from duli.base.errors import DataError
from duli.models import fastconv, resnet18
from duli.training import transfer
from duli.training.params import Transfer
from tests.training.examples import SIDE


def settings(frozen: int = 0, unfreeze: float = 0.0) -> Transfer:
    return Transfer(init_from=None, sha256=None, frozen=frozen, unfreeze=unfreeze, layer_decay=1.0)


def net(seed: int, outputs: int = 4, wide: int = 8) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        choice = fastconv.Settings(stem=wide, blocks=((8,),))
        return fastconv.build(choice, channels=1, height=SIDE, width=SIDE, outputs=outputs)


def copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_same_classes_take_everything() -> None:
    model, other = net(0), net(1)
    loaded = transfer.load(model, copy(other))
    assert (loaded.loaded, loaded.new) == (list(model.state_dict()), [])
    assert all(
        torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items()
    )


def test_other_classes_get_a_head_of_their_own() -> None:
    model, other = net(0, outputs=4), net(1, outputs=7)
    before = copy(model)
    loaded = transfer.load(model, copy(other))
    assert loaded.new == ["8.weight", "8.bias"]
    assert loaded.loaded == [name for name in before if name not in loaded.new]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name] if name in loaded.new else other.state_dict()[name])


def test_a_head_is_replaced_whole() -> None:
    model, tensors = net(0), copy(net(1))
    before = copy(model)
    del tensors["8.bias"]
    assert transfer.load(model, tensors).new == ["8.weight", "8.bias"]
    assert torch.equal(model.state_dict()["8.weight"], before["8.weight"])


def test_the_head_of_a_residual_network_is_found() -> None:
    sizes = {"channels": 1, "height": 12, "width": 12}
    model, other = (
        resnet18.build(resnet18.Settings(), **sizes, outputs=outputs) for outputs in (3, 5)
    )
    assert transfer.load(model, copy(other)).new == ["fc.weight", "fc.bias"]


def without(name: str) -> Callable[[dict[str, Tensor]], None]:
    return lambda tensors: tensors.__delitem__(name)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (
            without("0.weight"),
            r"1 tensors do not fit \(0\.weight is missing there and 8x1x5x5 here\)",
        ),
        (without("4.running_var"), r"4\.running_var is missing there and 8 here"),
        (
            without("1.num_batches_tracked"),
            r"1\.num_batches_tracked is missing there and scalar here",
        ),
        (
            lambda tensors: tensors.update(other=torch.ones(2, 3)),
            r"other is 2x3 there and missing here",
        ),
        (
            lambda tensors: tensors.update(copy(net(1, wide=6))),
            r"6 tensors do not fit \(0\.weight is 6x1x5x5 there and 8x1x5x5 here; 1",
        ),
        (lambda tensors: tensors.clear(), "tensors do not fit"),
    ],
)
def test_another_network_is_refused_and_nothing_changed(
    damage: Callable[[dict[str, Tensor]], None], complaint: str
) -> None:
    model, tensors = net(0), copy(net(1))
    before = copy(model)
    damage(tensors)
    with pytest.raises(
        DataError,
        match=f"init_from.* .*{complaint}.*`model`",
    ):
        transfer.load(model, tensors)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_layers_are_freed_one_after_the_other() -> None:
    gradual = [transfer.frozen(done, 10, settings(frozen=3, unfreeze=0.6)) for done in range(10)]
    assert gradual == [3, 3, 2, 2, 1, 1, 0, 0, 0, 0]
    assert [transfer.frozen(done, 10, settings(frozen=3)) for done in range(10)] == [3] * 10


@given(frozen=st.integers(0, 9), unfreeze=st.floats(0, 1), steps=st.integers(1, 200))
def test_no_layer_is_frozen_again(frozen: int, unfreeze: float, steps: int) -> None:
    seen = [transfer.frozen(done, steps, settings(frozen, unfreeze)) for done in range(steps)]
    assert seen[0] == frozen
    assert seen == sorted(seen, reverse=True)
    assert all(0 <= now <= frozen for now in seen)
