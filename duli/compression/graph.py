"""Rewrites of an ONNX graph that change no answer: preprocessing folded into weights, bytes that mean nothing left out."""

from collections.abc import Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

INPUT, OUTPUT = "images", "logits"


def fold_preprocessing(proto: onnx.ModelProto) -> None:
    """Moves `images * scale + shift` at the beginning of the graph into the weights and the bias of the layer behind it, in place.

    Two passes over all pixels less. Only for a convolution without padding (a padded one sees zeros that no shift has touched), and only
    where nothing else reads what is in between; any other graph stays as it is. In float64, so that the result is rounded once.
    """
    found = _preprocessing(proto)
    if found is None:
        return
    cast, mul, add, layer = found
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    scale, shift = (_float64(constants[node.input[1]]) for node in (mul, add))
    weight, bias = (constants[name] for name in layer.input[1:])
    kernel = _float64(weight)
    _set(bias, _float64(bias) + shift * kernel.sum(axis=(1, 2, 3)))
    _set(weight, kernel * scale)
    layer.input[0] = cast.output[0]
    _remove(proto, [mul, add])


def _preprocessing(proto: onnx.ModelProto) -> tuple[NodeProto, NodeProto, NodeProto, NodeProto] | None:
    """Cast, multiplication, addition and the convolution behind them, where they follow each other as `fold_preprocessing` asks."""
    chain: list[NodeProto] = []
    name = INPUT
    constants = {tensor.name for tensor in proto.graph.initializer}
    for kind in ("Cast", "Mul", "Add", "Conv"):
        readers = [node for node in proto.graph.node if name in node.input]
        if len(readers) != 1 or readers[0].op_type != kind or readers[0].input[0] != name or not constants.issuperset(readers[0].input[1:]):
            return None
        chain.append(readers[0])
        name = readers[0].output[0]
    padded = any(number for one in chain[-1].attribute if one.name == "pads" for number in one.ints)
    automatic = any(one.s not in (b"", b"NOTSET") for one in chain[-1].attribute if one.name == "auto_pad")
    cast, mul, add, layer = chain
    return None if padded or automatic or len(layer.input) != 3 else (cast, mul, add, layer)


def take_bytes_as_quantized(proto: onnx.ModelProto) -> None:
    """Lets a quantized graph read its input as what it is, in place: bytes are integers of scale 1 already.

    A cast to float32 and a quantization with scale 1 and zero point 0 behind it give the bytes back; both go.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    by_output = {output: node for node in proto.graph.node for output in node.output}
    for dequantize in proto.graph.node:
        quantize = by_output.get(dequantize.input[0]) if dequantize.op_type == "DequantizeLinear" else None
        cast = by_output.get(quantize.input[0]) if quantize is not None and quantize.op_type == "QuantizeLinear" else None
        if quantize is None or cast is None or cast.op_type != "Cast" or list(cast.input) != [INPUT]:
            continue
        scale, zero_point = (constants[name] for name in quantize.input[1:])
        if scale == 1 and zero_point == 0 and zero_point.dtype == np.uint8:
            dequantize.input[0] = INPUT
            _remove(proto, [cast, quantize])
            return


def slim(proto: onnx.ModelProto) -> None:
    """Leaves out of a graph what no runtime needs, in place: shapes that it infers, long names, zero points that are zero.

    A zero point may be left out where the type of what is dequantized says what it is; then it is zero by definition.
    """
    graph = proto.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        zero = constants.get(node.input[2]) if node.op_type == "DequantizeLinear" and len(node.input) == 3 else None
        if zero is not None and not numpy_helper.to_array(zero).any():
            del node.input[2]
        node.name = ""
    del graph.value_info[:]
    short: dict[str, str] = {}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [name if name in ("", INPUT, OUTPUT) else short.setdefault(name, f"{len(short):x}") for name in names]
    kept = [tensor for tensor in graph.initializer if tensor.name in short]
    for tensor in kept:
        tensor.name = short[tensor.name]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _remove(proto: onnx.ModelProto, nodes: Iterable[NodeProto]) -> None:
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
