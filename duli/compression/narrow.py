"""Structured pruning: removes the channels with the smallest weights, so the tensors shrink."""

import copy
import warnings

import torch
from torch import nn

from duli.compression.attempt import LeftOut


def narrowed(model: nn.Module, example: torch.Tensor, share: float) -> nn.Module:
    """A copy of `model` (inputs like `example` [2, ...]) without `share` of the channels of each
    layer but the last.

    Dependencies between channels are found from the graph (Fang et al., "DepGraph", arXiv
    2301.12900; torch-pruning); channels whose weights have the smallest norm are removed. Raises
    `LeftOut` if no layer has a channel to spare.
    """
    import torch_pruning
    from torchvision.models import VisionTransformer

    # Batch normalisation and dropout in inference mode; contiguous, because training leaves weights
    # channels-last.
    smaller = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)
    layers = [layer for layer in smaller.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    classes = smaller(example).shape[1]
    with warnings.catch_warnings():
        # it warns about parameters outside of layers, such as a transformer's positions, and prunes
        # them
        warnings.simplefilter("ignore")
        torch_pruning.pruner.MagnitudePruner(
            smaller,
            example,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=share,
            ignored_layers=layers[-1:],
            num_heads={
                layer: layer.num_heads
                for layer in smaller.modules()
                if isinstance(layer, nn.MultiheadAttention)
            },
        ).step()
    if isinstance(smaller, VisionTransformer):
        smaller.hidden_dim = smaller.conv_proj.out_channels  # which it shapes its patches by
    if _weights(smaller) == _weights(model):
        raise LeftOut("no layer has a channel to spare; raise quantize.narrow.share")
    assert smaller(example).shape[1] == classes
    return smaller


def _weights(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())
