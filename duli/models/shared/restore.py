"""Restores a trained network from models/model.json and the safetensors file."""

import importlib
import json
from typing import Any

from torch import nn

from duli.base.errors import DataError
from duli.models.shared.new import build


def restore(description: dict[str, Any], weights: bytes) -> nn.Module:
    """The trained network in evaluation mode, on the CPU: preprocessed examples -> logits
    [n, outputs].

    `description` is the content of model.json, `weights` the bytes of the safetensors file beside
    it (whoever reads them compares their digest first: `duli.base.files.verified`). Raises
    `DataError` where one of them is damaged or they do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        name, settings = (
            description["architecture"]["name"],
            description["architecture"]["settings"],
        )
        shape, outputs = description["input"], description["outputs"]
        architecture = importlib.import_module(f"duli.models.{name}")
        model = build(
            name,
            architecture.Settings.model_validate_json(json.dumps(settings)),
            **shape,
            outputs=outputs,
        )
        model.load_state_dict(load(weights))
    except SafetensorError as error:
        raise DataError(
            f"the weights are no safetensors file ({error}); run `dvc repro --force train`"
        ) from None
    except (LookupError, AttributeError, TypeError, ValueError, ImportError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise DataError(
            f"model.json and the weights do not make a network ({reason}); run `dvc repro --force"
            " train`"
        ) from None
    return model.eval()
