"""Folding the preprocessing changes no answer, and leaves alone what it may not touch."""

from functools import cache

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from duli.compression import graph
from duli.evaluation.predict import onnx_logits, torch_logits
from tests.exported import to_onnx, whole

pytestmark = pytest.mark.slow

MEAN, STD = 0.13, 0.31
SHAPE = (1, 12, 12)


def network(padding: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        size = 12 if padding else 10
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=padding),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * size * size, 3),
        ).eval()


@cache
def exported(padding: int) -> bytes:
    return to_onnx(network(padding), SHAPE, MEAN, STD)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, *SHAPE), dtype=np.uint8)


def kinds(content: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_preprocessing_goes_into_an_unpadded_convolution(images: np.ndarray) -> None:
    model = network(padding=0)
    assert kinds(exported(0))[:2] == ["Cast", "Conv"]
    np.testing.assert_allclose(
        onnx_logits(exported(0), images), torch_logits(whole(model, MEAN, STD), images), atol=1e-5
    )


def test_a_padded_convolution_keeps_its_preprocessing(images: np.ndarray) -> None:
    """Its border is zeros, which a folded shift would move."""
    model = network(padding=1)
    assert kinds(exported(1))[:4] == ["Cast", "Mul", "Add", "Conv"]
    np.testing.assert_allclose(
        onnx_logits(exported(1), images), torch_logits(whole(model, MEAN, STD), images), atol=1e-5
    )


def test_folding_would_show_on_a_padded_convolution(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: without the look at the padding the answers are others."""
    model = network(padding=1)
    proto = onnx.load_from_string(exported(1))
    for attribute in next(node for node in proto.graph.node if node.op_type == "Conv").attribute:
        if attribute.name == "pads":
            pads = list(attribute.ints)
            attribute.ints[:] = [0, 0, 0, 0]
    graph.fold_preprocessing(proto)
    for attribute in next(node for node in proto.graph.node if node.op_type == "Conv").attribute:
        if attribute.name == "pads":
            attribute.ints[:] = pads
    assert (
        np.abs(
            onnx_logits(proto.SerializeToString(), images)
            - torch_logits(whole(model, MEAN, STD), images)
        ).max()
        > 1e-2
    )


def test_what_somebody_else_reads_is_not_folded_away() -> None:
    proto = onnx.load_from_string(exported(1))
    conv = next(node for node in proto.graph.node if node.op_type == "Conv")
    for attribute in conv.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [0, 0, 0, 0]
    proto.graph.node.append(onnx.helper.make_node("Identity", [conv.input[0]], ["other"]))
    before = proto.SerializeToString()
    graph.fold_preprocessing(proto)
    assert proto.SerializeToString() == before
