"""The preprocessing between rows of numbers and the network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from duli.kinds.table.learning.params import Augmentation
from duli.models.shared.inputs import Whole


class Numbers(nn.Module):
    """Features float32 [n, features] -> zero mean, unit deviation; one that is missing (NaN)
    becomes the mean.
    """

    name = "features"
    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def forward(self, raw: Tensor) -> Tensor:
        scaled = (raw - self.mean.to(raw.device)) / self.std.to(raw.device)
        return torch.where(torch.isnan(scaled), torch.zeros_like(scaled), scaled)

    def exported(self) -> nn.Module:
        """Itself."""
        return self


Preprocessing = Numbers


def example(size: Mapping[str, int], n: int) -> Tensor:
    """`n` rows of zeros as they are kept, float32 [n, features]."""
    return torch.zeros(n, size["features"])


def layouts(before: Numbers, network: nn.Module) -> dict[str, nn.Module]:
    """The `network` with its preprocessing, as anybody gets it who restores the weights."""
    return {"torch": Whole(before, network)}


def augmenting(settings: Mapping[str, float]) -> None:
    """Always None: rows are not augmented; raises `ValidationError` for any setting."""
    Augmentation(**settings)


def lengths(inputs: Tensor) -> None:
    """Always None: rows cost the same."""
