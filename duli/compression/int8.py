"""Static int8 quantization of an ONNX model by onnxruntime's own quantizer."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from duli.compression import qdq
from duli.compression.params import Calibration

CALIBRATION_BATCH = 64  # at most
# onnxruntime's names
METHODS: dict[Calibration, str] = {
    "minmax": "MinMax",
    "entropy": "Entropy",
    "percentile": "Percentile",
}


def quantize(
    model: bytes, inputs: NDArray[Any], calibration: Calibration, *, full: bool = False
) -> bytes:
    """The int8 form of an ONNX `model`: QDQ, per-channel signed weights, unsigned activations.

    `inputs` is the calibration set, as the model takes it, `calibration` says how the ranges of the
    activations follow from it: their ends, the cut of least Kullback-Leibler divergence, or the
    99.999th percentile. The same input gives the same bytes.

    Weights are of 7 bits, -64..64, so that no sum of two products overflows on a CPU without VNNI
    (`saturation`); of all 8 with `full`.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = onnx.load_from_string(model).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            # All of one size: histograms are not gathered over batches of different ones.
            size = next(
                size
                for size in range(min(CALIBRATION_BATCH, len(inputs)), 0, -1)
                if len(inputs) % size == 0
            )
            self._batches: Iterator[dict[str, Any]] = (
                {name: batch} for batch in np.split(inputs, len(inputs) // size)
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self._batches, None)

    logging.getLogger().setLevel(logging.ERROR)  # the quantizer advises what has just been done
    said = io.StringIO()  # what the calibrators of histograms print
    with (
        tempfile.TemporaryDirectory(prefix="duli-int8-") as scratch,
        contextlib.redirect_stdout(said),
    ):
        plain, prepared, quantized = (
            Path(scratch) / name for name in ("plain.onnx", "prepared.onnx", "int8.onnx")
        )
        plain.write_bytes(model)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range=not full,
            activation_type=QuantType.QUInt8,
            calibrate_method=getattr(CalibrationMethod, METHODS[calibration]),
            extra_options={"TensorQuantOverrides": _bytes_as_they_are(onnx.load(str(prepared)))},
        )
        proto = onnx.load(str(quantized))
    qdq.rewrite(proto)
    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString())


def _bytes_as_they_are(proto: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """The quantization of an input of bytes, whose range is known and not left to calibration:
    scale 1 from 0, wherever a cast is first.
    """
    if proto.graph.input[0].type.tensor_type.elem_type != onnx.TensorProto.UINT8:
        return {}
    from onnxruntime.quantization import QuantType

    casts = [
        node
        for node in proto.graph.node
        if node.op_type == "Cast" and list(node.input) == [proto.graph.input[0].name]
    ]
    exact = {
        "quant_type": QuantType.QUInt8,
        "scale": np.array(1, np.float32),
        "zero_point": np.array(0, np.uint8),
    }
    return {node.output[0]: [exact] for node in casts}
