"""A network together with its preprocessing."""

import torch
from torch import Tensor, nn


class Whole(nn.Module):
    """A network with its preprocessing: examples as they are kept -> logits [n, outputs]."""

    def __init__(self, before: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.before, self.network = before, network

    def forward(self, raw: Tensor) -> Tensor:
        logits: Tensor = self.network(self.before(raw))
        return logits


def network_sees(raw: Tensor) -> Tensor:
    """Something of the shape and type that the network gets where `raw` is kept; the values mean
    nothing.
    """
    return raw.long() if raw.dtype == torch.int32 else raw.float()
