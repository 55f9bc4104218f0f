"""The preprocessing between tokens and the network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from duli.kinds.text.learning.params import Augmentation
from duli.models.shared.inputs import Whole

PADDING = 0


class Tokens(nn.Module):
    """Tokens int32 [n, length], 0 behind the last -> int64 without the columns that are padding in
    all of them.
    """

    name = "tokens"

    def forward(self, raw: Tensor) -> Tensor:
        longest = max(1, int((raw != 0).sum(dim=1).max())) if len(raw) else 1
        return raw[:, :longest].long()

    def exported(self) -> nn.Module:
        """The module without truncation, which no graph can do: the caller does it."""
        return _Long()


class _Long(nn.Module):
    def forward(self, raw: Tensor) -> Tensor:
        return raw.long()


Preprocessing = Tokens


def example(size: Mapping[str, int], n: int) -> Tensor:
    """`n` texts as they are kept, int32 [n, length]; all ones, because 0 is padding."""
    return torch.ones(n, size["length"], dtype=torch.int32)


def layouts(before: Tokens, network: nn.Module) -> dict[str, nn.Module]:
    """The `network` with its preprocessing, as anybody gets it who restores the weights."""
    return {"torch": Whole(before, network)}


def augmenting(settings: Mapping[str, float]) -> None:
    """Always None: texts are not augmented; raises `ValidationError` for any setting."""
    Augmentation(**settings)


def lengths(inputs: Tensor) -> Tensor:
    """Tokens of each text without the padding behind them: [n, length] -> int64 [n]."""
    return (inputs != PADDING).sum(dim=1)
