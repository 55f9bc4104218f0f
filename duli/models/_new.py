"""Makes a network that has learned nothing yet."""

import importlib

import torch
from torch import nn

from duli.models._params import ModelChoice


def new(choice: ModelChoice, seed: int, **sizes: int) -> nn.Module:
    """The chosen architecture for `sizes` (channels, height, width, classes).

    torch initialises from its global generator, which is left as it was found. Raises `ParamsError` where they do not fit.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: nn.Module = importlib.import_module(f"duli.models.{choice.name}").build(choice.settings, **sizes)
        return model
