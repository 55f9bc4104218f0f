"""Creates an untrained network."""

import importlib
import inspect
from typing import Any

import torch
from torch import nn

from duli.base.errors import ParamsError
from duli.models.shared.params import ModelChoice, architectures


def new(choice: ModelChoice, seed: int, **sizes: int) -> nn.Module:
    """The chosen architecture for `sizes`: those of the input, which depend on the kind of data,
    and `outputs`.

    torch's global generator initialises the weights and is restored afterwards. Raises
    `ParamsError` if architecture and sizes do not fit.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(choice.name, choice.settings, **sizes)


def build(name: str, settings: Any, **sizes: int) -> nn.Module:
    """The architecture `name` for `sizes`; raises `ParamsError` if it takes another kind of
    data, with the names of those that fit.
    """
    if not _takes(name, sizes):
        fitting = ", ".join(one for one in architectures() if _takes(one, sizes)) or "none"
        given = ", ".join(size for size in sizes if size != "outputs")
        raise ParamsError(
            f"model.name = '{name}' is not made for data with {given}; architectures that are:"
            f" {fitting}"
        )
    model: nn.Module = importlib.import_module(f"duli.models.{name}").build(settings, **sizes)
    return model


def _takes(name: str, sizes: dict[str, int]) -> bool:
    """Whether the architecture is built from such sizes."""
    try:
        inspect.signature(importlib.import_module(f"duli.models.{name}").build).bind(None, **sizes)
    except TypeError:
        return False
    return True
