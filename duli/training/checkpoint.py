"""The state of a training run as bytes; a resumed run continues exactly.

The format is safetensors, not pickle: reading it executes nothing. The header holds the plain
values and a digest, because safetensors does not detect a flipped bit.
"""

import hashlib
import json
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from duli.base.errors import DataError
from duli.training.distributed import like, whole


class State(NamedTuple):
    """Everything that a run needs to continue exactly."""

    values: dict[str, Any]  # JSON
    tensors: dict[str, Tensor]


def pack(state: State) -> bytes:
    """`state` as bytes; `unpack` reads them."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    values = json.dumps(state.values)
    return save(tensors, {"values": values, "sha256": _digest(values, tensors)})


def unpack(content: bytes) -> State:
    """Reads the bytes of `pack`; raises `DataError` if they were changed."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        # every process has to gather in the same order, and `load` returns tensors in any order
        tensors = dict(sorted(load(content).items()))
        # The header: its length in 8 bytes, then JSON (the format's specification); `load` gives
        # the tensors alone.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        values = json.loads(header["values"])
        intact = header["sha256"] == _digest(header["values"], tensors)
    except (SafetensorError, ValueError, LookupError, TypeError, OverflowError) as error:
        raise DataError(
            f"the checkpoint is damaged ({' '.join(str(error).split())[:200]})"
        ) from None
    if not intact:
        raise DataError("the checkpoint is damaged (its bytes do not have their digest)")
    return State(values, tensors)


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the full state dict of `model` on the CPU; with sharded weights all processes have
    to call this.
    """
    return {name: whole(value).clone() for name, value in model.state_dict().items()}


def restore_weights(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Loads full tensors into `model`; each keeps its device, memory format and shards."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(like(tensors[name], value))


def optimizer_state(model: nn.Module, optimizers: list[Optimizer]) -> dict[str, Tensor]:
    """The full state tensors of the optimizers on the CPU, by `WEIGHT/KEY`."""
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {
        f"{names[id(weight)]}/{key}": whole(value)
        for optimizer in optimizers
        for weight, entries in optimizer.state.items()
        for key, value in entries.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(
    model: nn.Module, optimizers: list[Optimizer], tensors: dict[str, Tensor]
) -> None:
    """Loads state into each optimizer, in the memory format of its weights, which fused kernels
    require.
    """
    weights = dict(model.named_parameters())
    owners = {
        id(weight): optimizer
        for optimizer in optimizers
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    for name, value in tensors.items():
        of, key = name.rsplit("/", 1)
        weight = weights[of]
        owners[id(weight)].state[weight][key] = (
            like(value, weight) if value.shape == weight.shape else value.to(weight.device)
        )


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, with `prefix:` before each name."""
    return {f"{prefix}:{name}": tensor for name, tensor in tensors.items()}


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries whose names begin with `prefix:`, without it (the inverse of `prefixed`)."""
    start = f"{prefix}:"
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }


def _digest(values: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(values.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
