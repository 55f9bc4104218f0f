"""Quantization-aware training: the network computes in float, rounds as static int8 will, and
adapts to it.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", arXiv 1712.05877.
"""

import copy

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn.utils import fusion

WEIGHTS = 64  # 7 bits, symmetric: -64..64, as int8.py
ACTIVATIONS = 255  # uint8: 0..255
MEMORY = 0.99  # momentum of the activation range, per batch


class _Rounded(nn.Module):
    """A convolution or linear layer with fake-quantized 7-bit weights (one scale per channel) and a
    fake-quantized uint8 input.
    """

    low: Tensor  # range of the input
    high: Tensor

    def __init__(self, layer: nn.Module, *, of_bytes: bool) -> None:
        super().__init__()
        self.layer, self.of_bytes = layer, of_bytes
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        weight = self.layer.weight
        assert isinstance(weight, Tensor)
        scale = (weight.detach().flatten(1).abs().amax(dim=1) / WEIGHTS).clamp_min(
            torch.finfo(torch.float32).tiny
        )
        zero = torch.zeros_like(scale, dtype=torch.int32)
        rounded = torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -WEIGHTS, WEIGHTS)
        outputs: Tensor = functional_call(
            self.layer, {"weight": rounded}, (inputs if self.of_bytes else self._rounded(inputs),)
        )
        return outputs

    def _rounded(self, inputs: Tensor) -> Tensor:
        if self.training:
            low, high = torch.aminmax(inputs.detach())
            low, high = low.clamp_max(0), high.clamp_min(0)  # zero has to be representable
            # the first batch initialises the range
            memory = torch.where(self.low == self.high, 0.0, MEMORY)
            self.low.copy_(torch.lerp(low, self.low, memory))
            self.high.copy_(torch.lerp(high, self.high, memory))
        scale = ((self.high - self.low) / ACTIVATIONS).clamp_min(torch.finfo(torch.float32).tiny)
        zero = (-self.low / scale).round().to(torch.int32)
        rounded: Tensor = torch.fake_quantize_per_tensor_affine(inputs, scale, zero, 0, ACTIVATIONS)
        return rounded


def rounding(model: nn.Module) -> nn.Module:
    """A copy of `model` with folded batch normalisation, whose convolutions and linear layers round
    as int8 does.

    The first layer's input is bytes, which need no rounding. Attention and all other modules stay
    as they are. Train it in float32, then call `plain`.
    """
    folded = _folded(model)
    layers = [
        str(node.target)
        for node in folded.graph.nodes
        if node.op == "call_module" and _has_weights(folded, node)
    ]
    for name in dict.fromkeys(layers):
        folded.set_submodule(name, _Rounded(folded.get_submodule(name), of_bytes=name == layers[0]))
    return folded


def plain(model: nn.Module) -> nn.Module:
    """`model` without fake quantization, in place: the learned weights as floats."""
    for name, module in [*model.named_modules()]:
        if isinstance(module, _Rounded):
            model.set_submodule(name, module.layer)
    return model


def _folded(model: nn.Module) -> fx.GraphModule:
    """A copy of `model` with every batch normalisation folded into the convolution or linear layer
    before it.
    """
    traced = fx.symbolic_trace(copy.deepcopy(model).eval())
    for node in [*traced.graph.nodes]:
        before = node.args[0] if node.args else None
        if (
            node.op != "call_module"
            or not isinstance(before, fx.Node)
            or before.op != "call_module"
            or len(before.users) > 1
        ):
            continue
        layer, normalisation = (
            traced.get_submodule(str(before.target)),
            traced.get_submodule(str(node.target)),
        )
        if isinstance(layer, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
            fused: nn.Module = fusion.fuse_conv_bn_eval(layer, normalisation)
        elif isinstance(layer, nn.Linear) and isinstance(normalisation, nn.BatchNorm1d):
            fused = fusion.fuse_linear_bn_eval(layer, normalisation)
        else:
            continue
        traced.set_submodule(str(before.target), fused)
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _has_weights(model: fx.GraphModule, node: fx.Node) -> bool:
    return isinstance(model.get_submodule(str(node.target)), nn.Conv2d | nn.Linear)
