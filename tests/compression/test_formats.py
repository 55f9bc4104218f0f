"""Half precision and dynamic int8: smaller files of the same answers, each running by itself."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from duli.base.errors import GateError
from duli.compression import float16, int8_dynamic
from duli.compression.attempt import LeftOut, attempt, finite, sound
from duli.evaluation.predict import onnx_logits
from tests.exported import to_onnx

SHAPE = (1, 12, 12)


@pytest.fixture(scope="module")
def exported() -> bytes:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(288, 400),
            nn.ReLU(),
            nn.Linear(400, 4),
        )
    return to_onnx(model.eval(), SHAPE, 0.13, 0.31)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, *SHAPE), dtype=np.uint8)


@pytest.mark.parametrize(
    ("convert", "size", "far"), [(float16.quantize, 0.5, 1e-3), (int8_dynamic.quantize, 0.25, 3e-2)]
)
def test_smaller_of_the_same_answers_and_the_same_bytes_each_time(
    exported: bytes, images: np.ndarray, convert: object, size: float, far: float
) -> None:
    assert callable(convert)
    content = convert(exported)
    assert convert(exported) == content
    assert len(content) == pytest.approx(size * len(exported), rel=0.05)
    logits, original = onnx_logits(content, images), onnx_logits(exported, images)
    assert logits.dtype == np.float32
    assert onnx_logits(content, images[:1]).shape == (1, 4)
    assert 0 < np.abs(logits - original).max() < far * np.abs(original).max()
    assert not any(
        tensor.external_data for tensor in onnx.load_from_string(content).graph.initializer
    )


def test_what_a_library_cannot_do_is_said_in_one_line_and_our_own_errors_pass() -> None:
    bytes_of_nothing = b"no model"
    with pytest.raises(LeftOut, match=r"^[^\n]+InvalidProtobuf[^\n]+duli/models/[^\n]*$"):
        attempt(
            "it does not run",
            lambda: onnx_logits(bytes_of_nothing, np.zeros((1, *SHAPE), np.uint8)),
        )
    held = GateError("held")

    def ours() -> None:
        raise held

    with pytest.raises(GateError, match="held"):
        attempt("it", ours)


def test_an_operator_without_a_kernel_is_named(exported: bytes, images: np.ndarray) -> None:
    """bfloat16 is what onnxruntime's CPU has no kernels for; should it get them, this says so."""
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.BFLOAT16, [4, 4]) for name in "xy"
    )
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "x"], ["y"])], "g", [x], [y]
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10
    )
    with pytest.raises(LeftOut, match="implementation for MatMul"):
        attempt("it does not run", lambda: onnx_logits(model.SerializeToString(), images))


def test_answers_that_are_no_numbers_are_counted() -> None:
    logits = np.zeros((5, 3), np.float32)
    assert finite(logits) is logits
    logits[1], logits[3, 2] = np.inf, np.nan
    with pytest.raises(LeftOut, match=r"\b2\b.*\b5\b.*quantize\.calibration"):
        finite(logits)


def test_a_weight_that_is_no_number_is_found_in_the_file(exported: bytes) -> None:
    assert sound(exported) is exported
    proto = onnx.load_from_string(exported)
    tensor = next(tensor for tensor in proto.graph.initializer if len(tensor.dims) == 4)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[3] = np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    with pytest.raises(LeftOut, match=r"'model\.0\.weight'.*Conv"):
        sound(proto.SerializeToString())
