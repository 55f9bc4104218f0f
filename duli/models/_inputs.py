"""What stands between an example as it is kept and the network: one module for each kind of
data.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Pixels(nn.Module):
    """Pixels 0..255 [n, channels, height, width], bytes or floats -> zero mean, unit deviation.

    `mean` and `std` are those of the pixels scaled to 0..1. The result is channels-last, unless
    asked for otherwise: so CPUs and tensor cores convolve fastest.
    """

    name = "images"

    def __init__(
        self, mean: float, std: float, memory_format: torch.memory_format = torch.channels_last
    ) -> None:
        super().__init__()
        self.mean, self.std, self.memory_format = mean, std, memory_format

    def forward(self, raw: Tensor) -> Tensor:
        return (
            raw.float()
            .sub(255 * self.mean)
            .div_(255 * self.std)
            .contiguous(memory_format=self.memory_format)
        )

    def exported(self) -> nn.Module:
        """The same as one multiplication and one addition, which can be folded into a layer behind
        it.
        """
        return _Affine(1 / (255 * self.std), -self.mean / self.std)


class _Affine(nn.Module):
    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, raw: Tensor) -> Tensor:
        return raw.float() * self.scale + self.shift


class Tokens(nn.Module):
    """Tokens int32 [n, length], 0 behind the last -> int64 without the columns that are padding in
    all of them.
    """

    name = "tokens"

    def forward(self, raw: Tensor) -> Tensor:
        longest = max(1, int((raw != 0).sum(dim=1).max())) if len(raw) else 1
        return raw[:, :longest].long()

    def exported(self) -> nn.Module:
        """Without the cut, which no graph can make: whoever calls it makes it."""
        return _Long()


class _Long(nn.Module):
    def forward(self, raw: Tensor) -> Tensor:
        return raw.long()


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


KINDS: dict[str, type[Pixels | Tokens | Numbers]] = {
    "image": Pixels,
    "text": Tokens,
    "table": Numbers,
}


def preprocessing(description: dict[str, Any]) -> Pixels | Tokens | Numbers:
    """That of a kind of data: `description` has `kind` and its `normalisation`
    (data/prepared/preprocessing.json, model.json).
    """
    return KINDS[description["kind"]](**description["normalisation"])


def example(description: dict[str, Any], n: int) -> Tensor:
    """`n` examples as they are kept, of zeros, or ones where 0 is padding."""
    size = description["input"]
    if description["kind"] == "text":
        return torch.ones(n, size["length"], dtype=torch.int32)
    if description["kind"] == "table":
        return torch.zeros(n, size["features"])
    return torch.zeros(n, size["channels"], size["height"], size["width"], dtype=torch.uint8)


def network_sees(raw: Tensor) -> Tensor:
    """Something of the shape and type that the network gets where `raw` is kept; the values mean
    nothing.
    """
    return raw.long() if raw.dtype == torch.int32 else raw.float()


def layouts(description: dict[str, Any], network: nn.Module) -> dict[str, nn.Module]:
    """The `network` with its preprocessing in each order of memory that torch may be given it in.

    `torch`: as anybody gets it who restores the weights and calls it; `torch_channels_last`, of
    images alone: weights and images with the channels last, which oneDNN prefers.
    """
    before = preprocessing(description)
    if not isinstance(before, Pixels):
        return {"torch": Whole(before, network)}
    plain, last = Pixels(before.mean, before.std, torch.contiguous_format), copy.deepcopy(network)
    last.to(memory_format=torch.channels_last)
    return {"torch": Whole(plain, network), "torch_channels_last": Whole(before, last)}


class Whole(nn.Module):
    """A network with its preprocessing: examples as they are kept -> logits [n, classes]."""

    def __init__(self, before: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.before, self.network = before, network

    def forward(self, raw: Tensor) -> Tensor:
        logits: Tensor = self.network(self.before(raw))
        return logits
