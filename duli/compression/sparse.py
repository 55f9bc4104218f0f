"""Magnitude pruning: sets the weights nearest to zero, over all layers, to zero for good."""

import copy

from torch import nn
from torch.nn.utils import prune

from duli.compression.attempt import LeftOut


def pruned(model: nn.Module, share: float) -> nn.Module:
    """A copy of `model` in which `share` of the weights of convolutions and linear layers are zero,
    and stay zero in training.

    The weights of smallest magnitude over all layers are chosen (Han et al., arXiv 1506.02626;
    torch.nn.utils.prune). Raises `LeftOut` if there are no such layers.
    """
    model = copy.deepcopy(model)
    weights = [(layer, "weight") for layer in _layers(model)]
    if not weights:
        raise LeftOut(
            "the network has no convolution and no linear layer whose weights could be zero:"
            " add one"
        )
    prune.global_unstructured(weights, pruning_method=prune.L1Unstructured, amount=share)
    return model


def solid(model: nn.Module) -> nn.Module:
    """`model` with the pruned zeros as plain weights, in place."""
    for layer in _layers(model):
        prune.remove(layer, "weight")  # type: ignore[no-untyped-call]
    return model


def _layers(model: nn.Module) -> list[nn.Module]:
    # Attention reads its last layer's weight without calling that layer, so a mask would not apply.
    inner = {
        id(module.out_proj)
        for module in model.modules()
        if isinstance(module, nn.MultiheadAttention)
    }
    return [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and id(layer) not in inner
    ]
