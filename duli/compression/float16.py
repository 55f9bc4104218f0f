"""Converts an ONNX model to float16 with onnxruntime's converter: weights and activations change,
input and logits keep their types.
"""

import io
import warnings

import onnx


def quantize(model: bytes) -> bytes:
    """The float16 form of an ONNX `model`: about half the size; equal input gives equal bytes.

    Weights beyond float16's 65,504 are clipped. bfloat16 is not an option: onnxruntime has no CPU
    kernels for it.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    proto = onnx.load_from_string(model)
    with warnings.catch_warnings():
        # weights below float16's range become its smallest number, with one warning each
        warnings.simplefilter("ignore")
        proto = convert_float_to_float16(proto, keep_io_types=[proto.graph.input[0].name, "logits"])
    del proto.graph.value_info[:]
    onnx.checker.check_model(proto, full_check=True)
    file = io.BytesIO()
    onnx.save(proto, file)
    return file.getvalue()
