"""Sums of products that overflow 16 bits are counted in the file, and no file that ships has
one.
"""

from itertools import combinations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from duli.base import machine
from duli.compression import float16, int8, int8_dynamic, saturation
from duli.evaluation.predict import onnx_logits
from tests.exported import to_onnx

pytestmark = pytest.mark.slow

SHAPE = (1, 12, 12)
FORMATS = {
    "int8": lambda model, images: int8.quantize(model, images, "minmax"),
    "int8_dynamic": lambda model, images: int8_dynamic.quantize(model),
    "fp16": lambda model, images: float16.quantize(model),
    "fp32": lambda model, images: model,
}


def file(op: str, weights: np.ndarray, **attributes: int) -> bytes:
    """A file with one layer whose dequantized weights are `weights`."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale"], ["weights"]),
        helper.make_node(op, ["x", "weights"], ["y"], **attributes),
    ]
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.float32(1), "scale"),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    return bytes(helper.make_model(graph).SerializeToString())


def exact(content: bytes, images: np.ndarray) -> np.ndarray:
    """Logits [n, classes] without the sums of 16 bits."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    found: np.ndarray = session.run(["logits"], {session.get_inputs()[0].name: images})[0]
    return found


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(128, 256, (200, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported() -> bytes:
    """Weights of one sign, as a sum that overflows has them; grouped and depthwise convolutions,
    and linear layers.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, groups=2),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, groups=16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 64, 20),
            nn.ReLU(),
            nn.Linear(20, 4),
        ).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.abs_()
    return to_onnx(model, SHAPE, 0.0, 0.31)


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        ([64, 64, -64, -64], 0),
        ([127, 1, -127, -1], 0),
        ([65, 64], 1),
        ([-65, -64], 1),
        ([-128, 0], 0),
        ([-128, -1], 1),
        ([127, -127], 0),
        ([127, 127, 127, 2], 6),
    ],
)
def test_two_weights_overflow_where_255_times_their_sum_passes_16_bits(
    weights: list[int], found: int
) -> None:
    assert saturation.pairs(file("MatMul", np.array(weights, np.int8)[:, None])) == found


def test_it_counts_what_counting_one_by_one_counts() -> None:
    weights = np.random.default_rng(0).integers(-128, 128, (5, 3, 2, 2)).astype(np.int8)
    one_by_one = sum(
        not -32_768 <= 255 * (int(first) + int(second)) <= 32_767 and (first > 0) == (second > 0)
        for channel in weights.reshape(5, -1)
        for first, second in combinations(channel, 2)
    )
    assert saturation.pairs(file("Conv", weights)) == one_by_one > 0


@pytest.mark.parametrize(
    ("op", "attributes", "weights"),
    [
        ("Conv", {}, np.diag([127, 127]).reshape(2, 2, 1, 1)),
        ("MatMul", {}, [[127, 0], [0, 127]]),
        ("Gemm", {}, [[127, 0], [0, 127]]),
        ("Gemm", {"transB": 1}, [[127, 0], [0, 127]]),
    ],
)
def test_weights_of_two_channels_are_never_added(
    op: str, attributes: dict[str, int], weights: np.ndarray
) -> None:
    assert saturation.pairs(file(op, np.array(weights, np.int8), **attributes)) == 0


@pytest.mark.parametrize(
    ("op", "attributes", "weights"),
    [
        ("Conv", {}, np.full((1, 1, 1, 2), 127)),
        ("MatMul", {}, [[127, 0], [127, 0]]),
        ("Gemm", {}, [[127, 0], [127, 0]]),
        ("Gemm", {"transB": 1}, [[127, 127], [0, 0]]),
        ("Einsum", {}, [[127, 0], [0, 127]]),  # a layer not known: any two weights may meet
    ],
)
def test_weights_of_one_channel_are_added(
    op: str, attributes: dict[str, int], weights: np.ndarray
) -> None:
    assert saturation.pairs(file(op, np.array(weights, np.int8), **attributes)) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_that_ships_has_a_sum_that_overflows(
    form: str, exported: bytes, images: np.ndarray
) -> None:
    content = FORMATS[form](exported, images)
    assert saturation.pairs(content) == 0
    for tensor in onnx.load_from_string(content).graph.initializer:
        weights = numpy_helper.to_array(tensor)
        assert weights.dtype != np.int8 or np.abs(weights.astype(int)).max() <= 64


def test_a_file_of_all_8_bits_has_some(exported: bytes, images: np.ndarray) -> None:
    assert saturation.pairs(int8.quantize(exported, images, "minmax", full=True)) > 1000


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_without_any_answers_as_exact_sums_do(
    form: str, exported: bytes, images: np.ndarray
) -> None:
    content = FORMATS[form](exported, images)
    np.testing.assert_array_equal(onnx_logits(content, images), exact(content, images))


@pytest.mark.skipif(
    not machine.adds_in_16_bits(machine.cpu()["flags"]), reason="this CPU adds products in 32 bits"
)
def test_a_file_with_some_answers_otherwise_on_a_cpu_without_vnni(
    exported: bytes, images: np.ndarray
) -> None:
    content = int8.quantize(exported, images, "minmax", full=True)
    assert np.abs(onnx_logits(content, images) - exact(content, images)).max() > 0.01


def test_unsigned_weights_of_all_8_bits_never_overflow() -> None:
    """What int8_dynamic rests on: products of two unsigned bytes are added in 32 bits on
    every CPU.
    """
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [None, 64])
    y = helper.make_tensor_value_info("logits", TensorProto.INT32, [None, 4])
    node = helper.make_node("MatMulInteger", ["x", "w"], ["logits"])
    weights = np.full((64, 4), 255, np.uint8)
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert (session.run(None, {"x": np.full((3, 64), 255, np.uint8)})[0] == 64 * 255 * 255).all()
