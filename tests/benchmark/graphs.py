"""Tiny ONNX models of raw bytes whose cost can be chosen."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def multiplying(*sizes: int, shape: tuple[int, int, int] = (1, 2, 2)) -> bytes:
    """images uint8 [batch, *shape] -> logits [batch, last size], through one matrix for each
    size.
    """
    pixels = int(np.prod(shape))
    generator = np.random.default_rng(0)
    nodes = [
        helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["cast"], ["0"]),
    ]
    weights = []
    for index, (rows, columns) in enumerate(zip((pixels, *sizes), sizes, strict=False)):
        weights.append(
            numpy_helper.from_array(
                generator.standard_normal((rows, columns), np.float32), f"w{index}"
            )
        )
        last = index == len(sizes) - 1
        nodes.append(
            helper.make_node(
                "MatMul", [str(index), f"w{index}"], ["logits" if last else str(index + 1)]
            )
        )
    graph = helper.make_graph(
        nodes,
        "multiplying",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", sizes[-1]])],
        weights,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


SMALL = multiplying(3)
LARGE = multiplying(1500, 1500, 3)  # 9 MB of weights
