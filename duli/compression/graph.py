"""Folds the preprocessing at the start of an ONNX graph into its first layer; the outputs stay the
same.
"""

from collections.abc import Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

OUTPUT = "logits"


def fold_preprocessing(proto: onnx.ModelProto) -> None:
    """Folds `images * scale + shift` at the start of the graph into the weights and bias of the
    next layer, in place.

    This saves two passes over all pixels. It applies to a convolution without padding only (padding
    zeros are not shifted), and only if nothing else reads the intermediate values; any other graph
    is left unchanged. Computed in float64, so that the result is rounded once.
    """
    chain = _preprocessing(proto)
    if chain is None:
        return
    cast, mul, add, layer = chain
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    scale, shift = (_float64(constants[node.input[1]]) for node in (mul, add))
    weight, bias = (constants[name] for name in layer.input[1:])
    kernel = _float64(weight)
    _set(bias, _float64(bias) + shift * kernel.sum(axis=(1, 2, 3)))
    _set(weight, kernel * scale)
    layer.input[0] = cast.output[0]
    remove(proto, [mul, add])


def _preprocessing(
    proto: onnx.ModelProto,
) -> tuple[NodeProto, NodeProto, NodeProto, NodeProto] | None:
    """The cast, multiplication, addition and convolution at the start of the graph, if they form
    the chain that `fold_preprocessing` needs.
    """
    chain: list[NodeProto] = []
    name = proto.graph.input[0].name
    constants = {tensor.name for tensor in proto.graph.initializer}
    for kind in ("Cast", "Mul", "Add", "Conv"):
        readers = [node for node in proto.graph.node if name in node.input]
        if (
            len(readers) != 1
            or readers[0].op_type != kind
            or readers[0].input[0] != name
            or not constants.issuperset(readers[0].input[1:])
        ):
            return None
        chain.append(readers[0])
        name = readers[0].output[0]
    padded = any(
        number for attr in chain[-1].attribute if attr.name == "pads" for number in attr.ints
    )
    automatic = any(
        attr.s not in (b"", b"NOTSET") for attr in chain[-1].attribute if attr.name == "auto_pad"
    )
    cast, mul, add, layer = chain
    return None if padded or automatic or len(layer.input) != 3 else (cast, mul, add, layer)


def remove(proto: onnx.ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Removes nodes from a graph, and constants that are no longer used."""
    for node in nodes:
        proto.graph.node.remove(node)
    read = {name for node in proto.graph.node for name in node.input}
    left = [tensor for tensor in proto.graph.initializer if tensor.name in read]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(left)


def _float64(tensor: onnx.TensorProto) -> NDArray[np.float64]:
    values: NDArray[np.float64] = numpy_helper.to_array(tensor).astype(np.float64)
    return values


def _set(tensor: onnx.TensorProto, values: NDArray[np.float64]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
