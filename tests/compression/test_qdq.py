"""Rewrites of a quantized graph change no sum, and let the runtime do in integers what it can."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from duli.compression import int8, qdq
from duli.evaluation.predict import onnx_logits
from tests.exported import to_onnx

pytestmark = pytest.mark.slow

MEAN, STD = 0.13, 0.31
SHAPE = (1, 12, 12)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 5 * 5, 3)
        ).eval()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, *SHAPE), dtype=np.uint8)


def exported(model: nn.Module, shape: tuple[int, int, int] = SHAPE) -> bytes:
    return to_onnx(model, shape, MEAN, STD)


@pytest.fixture(scope="module")
def model() -> bytes:
    """The file of `network()`."""
    return exported(network())


@pytest.fixture(scope="module")
def quantized(model: bytes, images: np.ndarray) -> bytes:
    return int8.quantize(model, images, "minmax")


def kinds(content: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def run(content: bytes, folder: Path) -> list[str]:
    """The operators that onnxruntime really runs."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    return kinds((folder / "optimized.onnx").read_bytes())


def test_an_int8_graph_takes_bytes_as_they_are_and_is_slim(
    images: np.ndarray, model: bytes, quantized: bytes
) -> None:
    assert kinds(quantized)[0] == "DequantizeLinear"
    assert "Cast" not in kinds(quantized)
    proto = onnx.load_from_string(quantized)
    assert not proto.graph.value_info
    assert max(len(tensor.name) for tensor in proto.graph.initializer) <= 2
    assert (
        onnx_logits(quantized, images).argmax(axis=1) == onnx_logits(model, images).argmax(axis=1)
    ).mean() > 0.95


def test_slimming_changes_no_bit_of_an_answer(
    images: np.ndarray, model: bytes, quantized: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qdq, "_slim", lambda _: None)
    plain = int8.quantize(model, images, "minmax")
    assert len(quantized) < len(plain)
    np.testing.assert_array_equal(onnx_logits(quantized, images), onnx_logits(plain, images))


def test_the_range_of_the_input_is_that_of_bytes_whatever_calibration_has_seen(
    model: bytes,
) -> None:
    """Calibrated on images that are never white, it would otherwise cut off whatever is
    brighter.
    """
    dark = np.random.default_rng(0).integers(0, 100, (300, *SHAPE), dtype=np.uint8)
    assert kinds(int8.quantize(model, dark, "minmax"))[0] == "DequantizeLinear"


def test_pooling_and_the_last_layer_run_in_integers(quantized: bytes, tmp_path: Path) -> None:
    run_by_onnxruntime = run(quantized, tmp_path)
    assert "QGemm" in run_by_onnxruntime
    assert not {"QuantizeLinear", "DequantizeLinear", "Gemm", "Conv"} & set(run_by_onnxruntime)


def test_logits_are_not_rounded_to_256_steps(
    images: np.ndarray, model: bytes, quantized: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = onnx_logits(quantized, images)
    monkeypatch.setattr(qdq, "_leave_logits_unrounded", lambda _: None)
    rounded = onnx_logits(int8.quantize(model, images, "minmax"), images)
    assert len(np.unique(rounded)) <= 256 < len(np.unique(found))
    np.testing.assert_allclose(found, rounded, atol=np.ptp(rounded) / 255)


@pytest.mark.parametrize(("kernel", "channels"), [(1, 1), (2, 3), (3, 1), (3, 3), (4, 1), (5, 3)])
def test_gathering_pixels_changes_no_bit_of_an_answer(
    kernel: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (channels, 12, 10)
    images = np.random.default_rng(kernel).integers(0, 256, (40, *shape), dtype=np.uint8)
    rows, columns = ((side - kernel) // 2 + 1 for side in shape[1:])
    with torch.random.fork_rng():
        torch.manual_seed(kernel)
        model = exported(
            nn.Sequential(
                nn.Conv2d(channels, 4, kernel, 2),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(4 * rows * columns, 3),
            ).eval(),
            shape,
        )
    gathered = int8.quantize(model, images, "minmax")
    monkeypatch.setattr(qdq, "_gather_pixels", lambda _: None)
    plain = int8.quantize(model, images, "minmax")
    assert "SpaceToDepth" in kinds(gathered)
    assert "SpaceToDepth" not in kinds(plain)
    np.testing.assert_array_equal(onnx_logits(gathered, images), onnx_logits(plain, images))


@pytest.mark.parametrize(
    "stem",
    [
        nn.Conv2d(1, 4, 3, stride=1),
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        nn.Conv2d(1, 4, 3, stride=(2, 1)),
        nn.Conv2d(1, 4, 2, stride=2, dilation=2),
    ],
    ids=str,
)
def test_other_convolutions_keep_their_pixels(stem: nn.Conv2d, images: np.ndarray) -> None:
    rows, columns = stem(torch.zeros(1, *SHAPE)).shape[2:]
    model = nn.Sequential(stem, nn.ReLU(), nn.Flatten(), nn.Linear(4 * rows * columns, 3)).eval()
    assert "SpaceToDepth" not in kinds(int8.quantize(exported(model), images, "minmax"))


def test_sides_that_blocks_do_not_divide_keep_their_pixels() -> None:
    shape = (1, 11, 12)
    images = np.random.default_rng(0).integers(0, 256, (40, *shape), dtype=np.uint8)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 5 * 5, 3)
    ).eval()
    assert "SpaceToDepth" not in kinds(int8.quantize(exported(model, shape), images, "minmax"))
