"""A state comes back as it was, or it is said to be damaged."""

import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from duli.base.errors import DataError
from duli.training import checkpoint, optim
from duli.training.checkpoint import State, pack, unpack
from tests.training.examples import network, recipe

VALUES = {
    "step": 7,
    "history": [[1, 1, 0.123456789, 1e-05, 2.5, 9]],
    "none": None,
    "scaler": {"scale": 65536.0},
    "text": "Grüße",
}
GENERATOR = torch.Generator().manual_seed(0)
TENSORS = {
    "float32": torch.randn(3, 2, generator=GENERATOR),
    "bfloat16": torch.randn(5, generator=GENERATOR).bfloat16(),
    "scalar": torch.tensor(3),
    "empty": torch.empty(0, 4),
    "bytes": torch.arange(7, dtype=torch.uint8),
    "odd": torch.tensor([math.inf, -math.inf, -0.0]),
}
PACKED = pack(State(VALUES, TENSORS))

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == value.dtype
        and one[name].shape == value.shape
        and torch.equal(one[name], value)
        for name, value in other.items()
    )


@given(values=st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_a_state_comes_back_as_it_was(values: dict[str, Any]) -> None:
    back = unpack(pack(State(values, TENSORS)))
    assert back.values == values
    assert same(back.tensors, TENSORS)


def test_tensors_come_back_in_one_order() -> None:
    # Processes that gather tensors one after the other must not each have an order of their own.
    for _ in range(5):
        assert list(unpack(PACKED).tensors) == sorted(TENSORS)


def test_memory_format_is_no_content() -> None:
    kernel = torch.randn(4, 3, 3, 3, generator=GENERATOR)
    back = unpack(
        pack(State({}, {"kernel": kernel.to(memory_format=torch.channels_last)}))
    ).tensors["kernel"]
    assert torch.equal(back, kernel)
    assert back.is_contiguous()


def test_every_flipped_bit_is_noticed() -> None:
    for place in range(len(PACKED)):
        for bit in range(8):
            damaged = bytearray(PACKED)
            damaged[place] ^= 1 << bit
            with pytest.raises(DataError, match=r"checkpoint.*\("):
                unpack(bytes(damaged))


def test_what_is_cut_off_is_noticed() -> None:
    for length in range(len(PACKED)):
        with pytest.raises(DataError, match=r"checkpoint.*\("):
            unpack(PACKED[:length])


@given(content=st.binary(max_size=200))
def test_what_never_was_a_checkpoint_is_noticed(content: bytes) -> None:
    for damaged in (content, PACKED + content[:1] + b"x"):
        with pytest.raises(DataError, match=r"checkpoint.*\("):
            unpack(damaged)


@pytest.mark.parametrize(
    "metadata", [None, {}, {"values": "{}"}, {"sha256": "0" * 64}, {"values": "[", "sha256": ""}]
)
def test_safetensors_of_others_are_no_checkpoint(metadata: dict[str, str] | None) -> None:
    from safetensors.torch import save

    with pytest.raises(DataError, match=r"checkpoint.*\("):
        unpack(save({"a": torch.ones(2)}, metadata))


def test_the_values_are_readable_without_torch() -> None:
    header = json.loads(PACKED[8 : 8 + int.from_bytes(PACKED[:8], "little")])
    assert json.loads(header["__metadata__"]["values"]) == VALUES


def test_weights_are_copies_and_go_back_into_their_memory_format() -> None:
    model = network().to(memory_format=torch.channels_last)
    taken = checkpoint.weights(model)
    wanted = {name: value.clone() for name, value in taken.items()}
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    assert same(taken, wanted)
    strides = model[3].weight.stride()
    checkpoint.restore_weights(model, {name: value.contiguous() for name, value in taken.items()})
    assert same(model.state_dict(), wanted)
    assert model[3].weight.stride() == strides != model[3].weight.contiguous().stride()


def stepped(model: nn.Module, optimizers: list[torch.optim.Optimizer], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.empty_like(weight).copy_(torch.randn(weight.shape, generator=generator))
    for optimizer in optimizers:
        optimizer.step()


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "muon"])
def test_optimizers_go_on_with_their_own_state(name: str) -> None:
    models = [network().to(memory_format=torch.channels_last) for _ in range(2)]
    pairs = [(model, optim.build(model, recipe(optimizer=name))) for model in models]
    stepped(*pairs[0], 1)
    state = unpack(pack(State({}, checkpoint.optimizer_state(*pairs[0])))).tensors
    checkpoint.restore_weights(models[1], checkpoint.weights(models[0]))
    checkpoint.restore_optimizer(*pairs[1], state)
    assert same(checkpoint.optimizer_state(*pairs[1]), state)
    for pair in pairs:
        stepped(*pair, 2)
    assert same(models[0].state_dict(), models[1].state_dict())


def test_prefixes() -> None:
    named = {"a:b": torch.ones(1), "c": torch.zeros(1)}
    put = {
        **checkpoint.prefixed("model", named),
        **checkpoint.prefixed("models", {"c": torch.ones(2)}),
    }
    assert set(put) == {"model:a:b", "model:c", "models:c"}
    assert same(checkpoint.below("model", put), named)
