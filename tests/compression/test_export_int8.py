"""Export and quantization of a small network: raw bytes in, same answers, same bytes each time."""

import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from duli.compression import int8
from duli.compression.int8 import METHODS
from duli.compression.params import Calibration
from duli.evaluation.predict import onnx_logits, torch_logits
from duli.tasks.classification.comparing.paired import agreement
from duli.tasks.classification.comparing.variants import balanced
from tests.exported import to_onnx, whole

pytestmark = pytest.mark.slow

MEAN, STD = 0.13, 0.31


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * 5 * 5, 4),
        ).eval()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, 1, 12, 12), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(network: nn.Module) -> bytes:
    return to_onnx(network, (1, 12, 12), MEAN, STD)


def test_takes_raw_bytes_and_any_batch(
    exported: bytes, network: nn.Module, images: np.ndarray
) -> None:
    found = agreement(
        onnx_logits(exported, images), torch_logits(whole(network, MEAN, STD), images)
    )
    assert found["disagreements"] == 0
    assert found["max_logit_difference"] < 1e-4
    assert onnx_logits(exported, images[:1]).shape == (1, 4)


def test_the_same_weights_give_the_same_bytes_and_no_path(
    exported: bytes, network: nn.Module
) -> None:
    channels_last = copy.deepcopy(network).train().to(memory_format=torch.channels_last)
    assert to_onnx(channels_last, (1, 12, 12), MEAN, STD) == exported
    model = onnx.load_from_string(exported)
    assert not any(node.metadata_props for node in model.graph.node)
    assert b"/duli/" not in exported
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_int8_is_smaller_close_and_reproducible(exported: bytes, images: np.ndarray) -> None:
    quantized = int8.quantize(exported, images[:64], "minmax")
    assert int8.quantize(exported, images[:64], "minmax") == quantized
    model = onnx.load_from_string(quantized)
    assert any(tensor.data_type == onnx.TensorProto.INT8 for tensor in model.graph.initializer)
    answers, original = (
        onnx_logits(quantized, images).argmax(axis=1),
        onnx_logits(exported, images).argmax(axis=1),
    )
    assert (answers == original).mean() > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_every_calibration_gives_a_close_file_and_the_same_bytes_each_time(
    exported: bytes, images: np.ndarray, method: Calibration, capsys: pytest.CaptureFixture[str]
) -> None:
    quantized = int8.quantize(exported, images, method)
    assert int8.quantize(exported, images, method) == quantized
    assert capsys.readouterr().out == ""
    answers, original = (
        onnx_logits(quantized, images).argmax(axis=1),
        onnx_logits(exported, images).argmax(axis=1),
    )
    assert (answers == original).mean() > 0.9


def test_calibration_draw_misses_no_class() -> None:
    labels = np.array([0] * 1000 + [1] * 3)
    rows = balanced(labels, 16, seed=1)
    assert len(rows) == len(set(rows)) == 16
    assert (labels[rows] == 1).sum() == 3
    assert (balanced(labels, 16, seed=1) == rows).all()
    assert (balanced(labels, 16, seed=2) != rows).any()
    assert len(balanced(labels, 5000, seed=1)) == 1003
