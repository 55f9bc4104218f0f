"""What stands between waves as they are kept and the network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from duli.models.shared.inputs import Whole


class Preprocessing(nn.Module):
    """Samples float32 [n, features] -> divided by the deviation of the training waves."""

    name = "samples"

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, raw: Tensor) -> Tensor:
        return raw / self.std

    def exported(self) -> nn.Module:
        """Itself."""
        return self


def example(size: Mapping[str, int], n: int) -> Tensor:
    """`n` silent waves as they are kept."""
    return torch.zeros(n, size["features"])


def layouts(before: Preprocessing, network: nn.Module) -> dict[str, nn.Module]:
    """The `network` with its preprocessing."""
    return {"torch": Whole(before, network)}


def augmenting(settings: Mapping[str, float]) -> None:
    """None: waves are learned from as they are."""


def lengths(inputs: Tensor) -> None:
    """None: waves cost the same."""
