"""Every architecture goes through the exporter, and answers as ONNX what it answers in torch."""

import importlib
import json
from typing import Any

import numpy as np
import pytest
import torch

from duli.evaluation.predict import onnx_logits, torch_logits
from duli.models.shared.params import architectures
from duli.tasks.classification.comparing.paired import agreement
from tests.exported import to_onnx, whole

SMALL: dict[str, dict[str, Any]] = {
    "convnet": {"filters": 4, "hidden": 8, "activation": "gelu", "dropout": 0.5},
    "fastconv": {
        "stem": 4,
        "blocks": [],
        "activation": "leaky_relu",
        "normalisation": "none",
        "mirrored": True,
    },
    "mlp": {"widths": [10, 50], "activation": "silu", "normalisation": "batch"},
    "resnet18": {},
    "resnet50": {},
    "vit_b_16": {"patch": 6},
}
EXPENSIVE = {"resnet18", "resnet50", "vit_b_16"}


def test_none_is_forgotten() -> None:
    assert set(SMALL) == set(architectures()) - {"encoder"}  # of texts: see test_encoder.py


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in EXPENSIVE else name for name in SMALL],
)
def test_onnx_agrees_with_torch(name: str) -> None:
    architecture = importlib.import_module(f"duli.models.{name}")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = architecture.Settings.model_validate_json(json.dumps(SMALL[name]))
        model = architecture.build(settings, channels=1, height=12, width=12, outputs=3)
        model(torch.randn(8, 1, 12, 12))  # running statistics of the batch normalisation
        if name == "vit_b_16":
            # torchvision's zeros would make all answers alike
            torch.nn.init.normal_(model.heads.head.weight)
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 12, 12), dtype=np.uint8)
    expected = torch_logits(whole(model, 0.5, 0.3), images)
    found = agreement(onnx_logits(to_onnx(model, (1, 12, 12), 0.5, 0.3), images), expected)
    assert expected.std() > 0.01
    assert found["disagreements"] == 0
    assert found["max_logit_difference"] < 1e-3 * np.abs(expected).max()
