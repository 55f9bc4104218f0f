"""The exported network of a release: its outputs and the inputs of its last linear layer. Works
without torch, which needs 600 MB.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base import padding
from duli.base.errors import DataError

BATCH = 500  # batch size of a forward pass: large enough to be fast, small enough for the cache
LINEAR = ("Gemm", "MatMul")
LOGITS, SEEN = "logits", "seen"


class Network:
    """An ONNX file whose output is called `logits`, such as `quantize` makes of every trained
    network.

    On one thread: another number rounds differently, and verdicts would depend on the machine.
    Raises `DataError` if it is no such file.
    """

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        # onnxruntime's exceptions share no base class except these two.
        try:
            content, self.outputs = _opened(content)
            self.session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise DataError(
                f"the exported network cannot be used ({reason}); run `dvc repro --force quantize`"
            ) from None
        self.input = self.session.get_inputs()[0].name

    def answers(self, inputs: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits [n, classes] and embeddings [n, d]: the input of the last linear layer, or the
        logits where there is none.
        """
        order = padding.by_length(inputs)
        parts = [
            self._asked(inputs[order[start : start + BATCH]])
            for start in range(0, len(inputs), BATCH)
        ]
        found = []
        for which in (0, -1):
            sorted_by_length = np.concatenate(
                [part[which].reshape(len(part[which]), -1) for part in parts]
            )
            in_order = np.empty_like(sorted_by_length)
            in_order[order] = sorted_by_length
            found.append(in_order)
        return found[0], found[1]

    def _asked(self, batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        answered: list[NDArray[np.float32]] = self.session.run(
            self.outputs, {self.input: padding.cut(batch)}
        )
        return answered


def _opened(content: bytes) -> tuple[bytes, list[str]]:
    """The graph with what its last linear layer sees as a further output, and the outputs to ask
    for.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.load_from_string(content)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    constants = {tensor.name for tensor in proto.graph.initializer}
    layers = [
        node for node in proto.graph.node if node.op_type in LINEAR and node.input[1] in constants
    ]
    if not layers:
        return content, [LOGITS]
    # A separate name, because an input may already be an output.
    proto.graph.node.append(onnx.helper.make_node("Identity", [layers[-1].input[0]], [SEEN]))
    proto.graph.output.append(onnx.ValueInfoProto(name=SEEN))
    return proto.SerializeToString(), [LOGITS, SEEN]
