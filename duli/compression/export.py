"""A trained network as ONNX that takes raw bytes: scaling and normalisation are part of the graph."""

import contextlib
import copy
import io
import logging
import re
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from duli.compression import graph
from duli.errors import GateError

# ONNX operator set; 21 is what onnxruntime's int8 kernels and its quantizer know well.
OPSET = 21


class _FromBytes(nn.Module):
    """The network with its preprocessing: uint8 [n, channels, height, width] in, logits float32 [n, classes] out."""

    def __init__(self, model: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        # The exporter writes down the memory format of the weights; training may have left them channels-last.
        self.model = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)
        # (x / 255 - mean) / std as one multiplication and one addition
        self.scale, self.shift = 1 / (255 * std), -mean / std

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(images.float() * self.scale + self.shift)
        return logits


def to_onnx(model: nn.Module, shape: tuple[int, int, int], mean: float, std: float) -> bytes:
    """The ONNX file of `model` for inputs of `shape` (channels, height, width) and any batch size.

    No external data, no metadata of the exporter (it names paths of this machine), so the same weights give the same bytes.
    Raises `GateError` where the exporter cannot take the network, with the operator or the line that stops it.
    """
    example = torch.zeros((2, *shape), dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # The exporter prints what it was doing when it failed; the error says it in one line.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        try:
            program = torch.onnx.export(
                _FromBytes(model, mean, std),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["logits"],
                opset_version=OPSET,
                dynamic_shapes={"images": {0: torch.export.Dim("batch", min=1)}},
            )
        except torch.onnx.OnnxExporterError as error:
            raise GateError(
                f"the network cannot be exported to ONNX: {_why(error)}; take operators that ONNX has in the architecture, duli/models/"
            ) from error
    assert program is not None
    proto = program.model_proto
    _strip(proto)
    graph.fold_preprocessing(proto)
    onnx.checker.check_model(proto, full_check=True)
    file = io.BytesIO()
    onnx.save(proto, file)
    return file.getvalue()


def _why(error: BaseException) -> str:
    """The first line of the innermost cause, which names the operator, and the line of the network's code where that is known."""
    said = str(error)
    while error.__cause__ is not None:
        error = error.__cause__
        said += str(error)
    places = re.findall(r'File "([^"]+)", line (\d+), in forward', said)
    place = f" ({Path(places[-1][0]).name}, line {places[-1][1]})" if places else ""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300] + place


def _strip(proto: onnx.ModelProto) -> None:
    del proto.metadata_props[:]
    proto.producer_version = ""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del proto.graph.metadata_props[:]
