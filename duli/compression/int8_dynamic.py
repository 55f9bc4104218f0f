"""Dynamic int8 quantization of an ONNX model by onnxruntime: int8 weights, ranges of activations
found anew each time.
"""

import logging
import tempfile
from pathlib import Path

import onnx


def quantize(model: bytes) -> bytes:
    """The dynamically quantized form of an ONNX `model`; no calibration; the same input gives the
    same bytes.

    Made for networks whose time goes into matrix products. The weights are unsigned: onnxruntime's
    CPU has no ConvInteger of signed ones, and sums of unsigned products do not overflow on a CPU
    without VNNI (`saturation`), so all 8 bits are used.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().setLevel(logging.ERROR)  # the quantizer advises what has just been done
    with tempfile.TemporaryDirectory(prefix="duli-int8-") as scratch:
        plain, prepared, quantized = (
            Path(scratch) / name for name in ("plain.onnx", "prepared.onnx", "int8.onnx")
        )
        plain.write_bytes(model)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_dynamic(prepared, quantized, weight_type=QuantType.QUInt8)
        proto = onnx.load(str(quantized))
    del proto.graph.value_info[:]
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())
