"""Counts the products of an int8 file that can overflow on a CPU without VNNI, from its weights
alone.

There, onnxruntime multiplies bytes by int8 weights with `vpmaddubsw`, which adds two products in 16
bits and saturates (onnxruntime#14642): the same file then gives other answers than on a CPU with
VNNI, where sums have 32 bits. Unsigned weights use another instruction and do not overflow.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, numpy_helper

# Largest sum of two weights of one sign that, times an activation of 255, fits into 16 bits.
LIMIT = 32_767 // 255
# Axis of the output channel in the weights of a layer.
CHANNELS = {
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv"), 0),
    **dict.fromkeys(
        (
            "MatMul",
            "MatMulInteger",
            "MatMulIntegerToFloat",
            "QLinearMatMul",
            "DynamicQuantizeMatMul",
        ),
        -1,
    ),
}


def pairs(content: bytes) -> int:
    """The number of pairs of int8 weights of an output channel that can exceed 16 bits, over all
    layers of an ONNX file.

    Any two weights of a channel count as a pair: which of them a kernel adds depends on its memory
    layout.
    """
    graph = onnx.load_from_string(content).graph
    count = 0
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.INT8 or len(tensor.dims) < 2:
            continue
        weights = numpy_helper.to_array(tensor)
        for layer in _layers(graph, tensor.name):
            count += sum(_overflowing(channel) for channel in _by_channel(weights, layer))
    return count


def _layers(graph: onnx.GraphProto, name: str) -> list[NodeProto]:
    """Nodes that use a tensor directly or dequantized."""
    readers = [node for node in graph.node if name in node.input]
    return [
        layer
        for node in readers
        for layer in (
            _layers(graph, node.output[0]) if node.op_type == "DequantizeLinear" else [node]
        )
    ]


def _by_channel(weights: NDArray[np.int8], layer: NodeProto) -> NDArray[np.int8]:
    """`weights` as [output channels, weights]; an unknown layer counts as one channel, which is the
    safe side.
    """
    axis = CHANNELS.get(layer.op_type)
    if layer.op_type in ("Gemm", "QGemm"):
        axis = 0 if any(attr.name == "transB" and attr.i for attr in layer.attribute) else 1
    if axis is None:
        return weights.reshape(1, -1)
    return np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)


def _overflowing(weights: NDArray[np.int8]) -> int:
    """The number of pairs among `weights` [n] of one sign whose sum exceeds `LIMIT`; pairs of
    opposite sign cannot.
    """
    count = 0
    for sign in (1, -1):
        sizes = np.bincount(np.maximum(sign * weights.astype(np.int64), 0), minlength=LIMIT + 1)
        at_least = sizes[::-1].cumsum()[::-1]
        # each weight of size v pairs with every weight of at least LIMIT + 1 - v
        ordered = sizes[1:] @ at_least[:0:-1]
        itself = at_least[LIMIT // 2 + 1]
        count += int(ordered - itself) // 2
    return count
