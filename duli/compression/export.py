"""Exports a trained network to ONNX, preprocessing included: the input is a stored example."""

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

from duli.base.errors import GateError
from duli.compression import graph

# ONNX operator set; onnxruntime's int8 kernels and its quantizer support 21 best.
OPSET = 21


class _Whole(nn.Module):
    """The network with its preprocessing; the output is logits float32 [n, classes]."""

    def __init__(self, before: nn.Module, model: nn.Module) -> None:
        super().__init__()
        self.before = before
        # The exporter records the memory format of the weights; training may have left them
        # channels-last.
        self.model = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(self.before(raw))
        return logits


def to_onnx(model: nn.Module, before: nn.Module, example: torch.Tensor, name: str) -> bytes:
    """The ONNX file of `model` behind its preprocessing `before`; the input is called `name` and
    has the shape and type of `example` [2, ...].

    The batch size is free, and for tokens (int32 [n, length]) so is the length up to the example's.

    Without external data and exporter metadata (which contains paths of this machine), so equal
    weights give equal bytes. Raises `GateError` with the operator or line at fault if the network
    cannot be exported.
    """
    sizes = {0: torch.export.Dim("batch", min=1)}
    if example.dtype == torch.int32:
        sizes[1] = torch.export.Dim("length", min=1, max=example.shape[1])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    # The exporter prints its progress on failure; the error has it in one line.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        try:
            program = torch.onnx.export(
                _Whole(before, model),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=[name],
                output_names=["logits"],
                opset_version=OPSET,
                dynamic_shapes={"raw": sizes},
            )
        except torch.onnx.OnnxExporterError as error:
            raise GateError(
                f"the network cannot be exported to ONNX: {_why(error)}; take operators that ONNX"
                " has in the architecture, duli/models/"
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
    """The first line of the innermost cause, which names the operator, and the line of the
    network's code if known.
    """
    message = str(error)
    while error.__cause__ is not None:
        error = error.__cause__
        message += str(error)
    places = re.findall(r'File "([^"]+)", line (\d+), in forward', message)
    place = f" ({Path(places[-1][0]).name}, line {places[-1][1]})" if places else ""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300] + place


def _strip(proto: onnx.ModelProto) -> None:
    del proto.metadata_props[:]
    proto.producer_version = ""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (
        *proto.graph.value_info,
        *proto.graph.input,
        *proto.graph.output,
        *proto.graph.initializer,
    ):
        del value.metadata_props[:]
        value.doc_string = ""
    del proto.graph.metadata_props[:]
