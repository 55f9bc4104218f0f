"""Multi-process training: ranks, each rank's part of a batch, DDP and FSDP.

`torchrun` starts the processes, or `PET_NPROC_PER_NODE`, torchrun's own variable, in the
environment of `dvc repro`. The number of processes does not change the recipe: a step always covers
`train.batch` examples, and batch normalisation sees all of them.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from duli.base.errors import DuliError, ParamsError
from duli.training.params import Training

WANTED = ("PET_NPROC_PER_NODE", "PET_NNODES")  # torchrun's defaults, from the environment
STARTED = "TORCHELASTIC_RUN_ID"  # set in the processes that torchrun starts


class World(NamedTuple):
    """The processes that train together; by default a single one."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files, logs and console output (rank 0)."""
        return self.rank == 0

    def slice(self, count: int) -> slice:
        """The part of `count` examples for this process; parts differ by at most one example."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def largest_share(self, count: int) -> int:
        """The largest number of examples that any process gets of `count`."""
        return -(-count // self.size)

    def sum(self, values: Tensor) -> Tensor:
        """Sums `values` over all processes, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values

    def from_first(self, value: bytes | None) -> bytes | None:
        """Rank 0's `value`, on every process."""
        if self.size == 1:
            return value
        held = [value]
        torch.distributed.broadcast_object_list(held)
        return held[0]

    def gather(self, values: Tensor) -> list[Tensor]:
        """The `values` of all processes in rank order, on the CPU."""
        if self.size == 1:
            return [values]
        gathered: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(gathered, values)
        return gathered


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for several processes and this is not yet one of them."""
    return STARTED not in environment and any(environment.get(name, "1") != "1" for name in WANTED)


def launch(module: str, argument: str) -> None:
    """Runs `python -m module argument` under torchrun, as the environment asks.

    With `PET_MAX_RESTARTS`, a process that was killed is restarted, and training continues from its
    checkpoint. Raises `DuliError` if a process failed for good (it has printed the reason).
    """
    # Each start uses its own store: in a shared one, restarted processes find the addresses of
    # those that were killed.
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    # torchrun sets it too, with a warning; the stage sets `train.threads` itself
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    try:
        # On one machine the processes meet at a free port, so that two trainings do not collide.
        alone = ["--standalone"] if os.environ.get("PET_NNODES", "1") == "1" else []
        run(parse_args([*alone, "-m", module, argument]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise DuliError(
            f"the process of rank {rank} ended with code {failure.exitcode}; what it said stands"
            " above. Run again: the training goes on from its last checkpoint"
        ) from None


def join(environment: Mapping[str, str]) -> tuple[World, int]:
    """Joins the processes that torchrun started; returns the world and the local rank."""
    if STARTED not in environment:
        return World(), 0
    return World(int(environment["RANK"]), int(environment["WORLD_SIZE"])), int(
        environment["LOCAL_RANK"]
    )


def connect(world: World, device: torch.device) -> None:
    """Connects the processes: NCCL between GPUs, otherwise gloo."""
    if world.size > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")


def disconnect() -> None:
    """Closes what `connect` opened."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def shard(model: nn.Module, settings: Training, world: World, device: torch.device) -> None:
    """Prepares `model` in place for its device and the other processes; call it before any
    optimizer sees the weights.

    Raises `ParamsError` for settings that cannot be combined.
    """
    if settings.activation_checkpointing:
        _recompute(model, compiled=settings.compile)
    if world.size == 1:
        return
    _synchronise(model, device)
    if settings.parallel == "fsdp":
        from torch.distributed.fsdp import fully_shard

        if settings.optimizer == "muon":
            raise ParamsError(
                "train.optimizer = 'muon' needs whole kernels, and parallel: fsdp splits them; take"
                " adamw, or parallel: ddp"
            )
        for layer in _leaves(model):
            fully_shard(layer)
        fully_shard(model)


def replicate(
    model: nn.Module, settings: Training, world: World, device: torch.device
) -> nn.Module:
    """The module to call in a step: `model`, or DDP around it. Call this again whenever the set of
    trainable weights changes.
    """
    if world.size == 1 or settings.parallel == "fsdp":
        return model
    from torch.nn.parallel import DistributedDataParallel

    # Synchronised batch normalisation keeps the buffers equal anyway.
    return DistributedDataParallel(
        model,
        device_ids=[device.index] if device.type == "cuda" else None,
        forward_sync_buffers=False,
    )


def synchronise_gradients(replica: Any, *, last: bool) -> None:
    """Sets, before a forward pass, whether its backward pass is the last of the step: only then are
    gradients exchanged.
    """
    if hasattr(replica, "require_backward_grad_sync"):
        replica.require_backward_grad_sync = last  # the switch that DDP's no_sync() sets
    elif hasattr(replica, "set_requires_gradient_sync"):
        replica.set_requires_gradient_sync(last)  # FSDP2


def whole(tensor: Tensor) -> Tensor:
    """The full tensor on the CPU; all processes have to call this for a sharded one."""
    full = cast(Any, tensor).full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return cast(Tensor, full.detach().cpu())


def like(value: Tensor, tensor: Tensor) -> Tensor:
    """The full `value` with the device, memory format and sharding of `tensor`."""
    if hasattr(tensor, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        sharded: Any = tensor
        # Every process holds the full value, so no data is exchanged.
        return distribute_tensor(
            value.to(tensor.device), sharded.device_mesh, sharded.placements, src_data_rank=None
        )
    return torch.empty_like(tensor).copy_(value)


def _leaves(model: nn.Module) -> list[nn.Module]:
    return [
        module
        for module in model.modules()
        if module is not model and any(True for _ in module.parameters(recurse=False))
    ]


def _recompute(model: nn.Module, *, compiled: bool = False) -> None:
    """Enables activation checkpointing for each block: a module whose children are layers."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
        apply_activation_checkpointing,
        checkpoint_wrapper,
    )

    parents = [module for module in model.modules() if any(True for _ in module.children())]
    blocks = [
        module
        for module in parents
        if module is not model
        and not any(True for child in module.children() for _ in child.children())
    ]
    if not blocks:
        raise ParamsError(
            "train.activation_checkpointing needs a network made of blocks, and this one is a plain"
            " row of layers; set it to false"
        )
    # torch.compile accepts no custom contexts and needs none: it recomputes within one graph, not
    # by a second call.
    wrap = (
        checkpoint_wrapper
        if compiled
        else lambda block: checkpoint_wrapper(block, context_fn=lambda: _counted_once(block))
    )
    apply_activation_checkpointing(
        model, checkpoint_wrapper_fn=wrap, check_fn=lambda module: module in blocks
    )


def _counted_once(
    block: nn.Module,
) -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
    """The contexts of both forward passes of `block`; the second leaves the running statistics of
    batch normalisation unchanged.
    """
    return contextlib.nullcontext(), _statistics_kept(
        [m for m in block.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    )


@contextlib.contextmanager
def _statistics_kept(norms: list[nn.modules.batchnorm._BatchNorm]) -> Iterator[None]:
    before = [
        (
            norm.momentum,
            None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone(),
        )
        for norm in norms
    ]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)


def _synchronise(model: nn.Module, device: torch.device) -> None:
    """Synchronised batch normalisation: torch's module on GPUs, ours on the CPU, which torch's does
    not support.
    """
    for name, child in model.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            convert: Callable[[nn.Module], nn.Module] = (
                nn.SyncBatchNorm.convert_sync_batchnorm
                if device.type == "cuda"
                else _SyncBatchNorm.of
            )
            setattr(model, name, convert(child))
        else:
            _synchronise(child, device)


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each process's loss depends on it, so its gradient is the sum of
    their gradients.
    """

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


def _total(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)
    return total


class _SyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation with the mean and variance of all processes' examples."""

    @classmethod
    def of(cls, module: nn.Module) -> "_SyncBatchNorm":
        assert isinstance(module, nn.modules.batchnorm._BatchNorm)
        new = cls(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        new.train(module.training)
        for name, value in (*module._parameters.items(), *module._buffers.items()):
            setattr(new, name, value)
        return new

    def _check_input_dim(self, _: Tensor) -> None:
        """Accepts any number of dimensions: vectors and images."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return super().forward(values)
        numbers = values.float()
        others = [0, *range(2, numbers.dim())]
        count = torch.tensor(float(numbers.numel() // numbers.shape[1]))
        torch.distributed.all_reduce(count)
        mean = _total(numbers.sum(others)) / count
        centred = numbers - mean.view(1, -1, *[1] * (numbers.dim() - 2))
        variance = _total(centred.square().sum(others)) / count
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = (self.weight * torch.rsqrt(variance + self.eps)).view(
            1, -1, *[1] * (numbers.dim() - 2)
        )
        shift = self.bias.view(1, -1, *[1] * (numbers.dim() - 2))
        normalised: Tensor = centred * scale + shift
        return normalised.to(values.dtype)
