"""Networks of images as ONNX, for tests."""

import torch
from torch import nn

from duli.compression import export
from duli.kinds.image.learning.inputs import Pixels
from duli.models.shared.inputs import Whole


def to_onnx(model: nn.Module, shape: tuple[int, int, int], mean: float, std: float) -> bytes:
    """The ONNX file of `model` for bytes of `shape` (channels, height, width)."""
    return export.to_onnx(
        model, Pixels(mean, std).exported(), torch.zeros(2, *shape, dtype=torch.uint8), "images"
    )


def whole(model: nn.Module, mean: float, std: float) -> Whole:
    """`model` with its preprocessing."""
    return Whole(Pixels(mean, std), model)
