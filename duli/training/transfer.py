"""Transfer learning: initial weights from another network."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from duli.base.errors import DataError
from duli.training.layers import modules
from duli.training.params import Transfer


class Loaded(NamedTuple):
    """What happened to each tensor of the other network, by name."""

    loaded: list[str]
    new: list[str]  # tensors of the head: the outputs differ, so it keeps its own initialisation


def load(
    model: nn.Module, tensors: dict[str, Tensor], *, same_outputs: bool | None = None
) -> Loaded:
    """Loads `tensors` (a state dict of the same architecture) into `model`; the head is kept if the
    outputs differ.

    `same_outputs` says whether they are the same; None means unknown, and the shape of the head
    decides.

    Raises `DataError`, and changes nothing, if any other tensor does not fit.
    """
    own = model.state_dict()
    head = _head(model)
    different = [
        name
        for name, value in own.items()
        if name not in tensors or tensors[name].shape != value.shape
    ]
    stray = sorted(tensors.keys() - own.keys() - head)
    wrong = [name for name in different if name not in head]
    if wrong or stray:
        examples = "; ".join(
            _difference(name, own.get(name), tensors.get(name)) for name in (*wrong, *stray)[:3]
        )
        raise DataError(
            f"train.transfer.init_from holds another network: {len(wrong) + len(stray)} tensors do"
            f" not fit ({examples}); set the `model` section to what those weights were made with"
        )
    # A head is loaded whole or not at all: with a new weight, the bias is new too.
    new = [name for name in own if name in head] if different or same_outputs is False else []
    loaded = [name for name in own if name not in new]
    with torch.no_grad():
        for name in loaded:
            own[name].copy_(tensors[name])
    return Loaded(loaded, new)


def frozen(done: int, steps: int, transfer: Transfer) -> int:
    """The number of layers, input first, that are frozen after `done` of `steps` steps.

    Gradual unfreezing (Howard & Ruder, arXiv 1801.06146): over the share `unfreeze` of the run, one
    layer after the other is unfrozen, the last frozen one first.
    """
    if transfer.frozen == 0 or transfer.unfreeze == 0:
        return transfer.frozen
    freed = int(min(1.0, done / (transfer.unfreeze * steps)) * transfer.frozen)
    return transfer.frozen - freed


def _head(model: nn.Module) -> set[str]:
    """Names of the last layer's tensors."""
    last = modules(model)[-1]
    return {
        name
        for name, weight in model.named_parameters()
        if any(weight is own for own in last.parameters(recurse=False))
    }


def _difference(name: str, own: Tensor | None, other: Tensor | None) -> str:
    shapes = [
        "missing" if tensor is None else "x".join(map(str, tensor.shape)) or "scalar"
        for tensor in (own, other)
    ]
    return f"{name} is {shapes[1]} there and {shapes[0]} here"
