"""Cost estimate of training a network: parameters, FLOPs, memory, and the number of GPUs needed.

The network runs once on tensors without storage (torch's FakeTensorMode), so neither weights nor
activations use memory.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from duli.base.errors import ParamsError

FLOAT32 = 4  # bytes
# Share of a device's memory reserved for temporaries of the layers, workspaces of the libraries and
# fragmentation.
RESERVE = 0.1


class Plan(NamedTuple):
    """Sizes in bytes, arithmetic in FLOPs (a multiply-add counts as two)."""

    parameters: int
    trainable: int  # trainable parameters
    forward_flops: int  # for one example
    step_flops: int  # one training step: forward and backward for the whole batch
    batch: int  # examples per step, over all devices
    micro_batch: int  # examples at once in memory
    # parameters and buffers in float32; autocast adds its own copies
    weights: int
    gradients: int
    optimizer: int
    ema: int
    kept_per_example: int  # saved for the backward pass: activations and the input
    kept_fixed: int  # independent of the batch: mostly copies of the weights in lower precision
    largest_layer: int  # parameters of the largest layer
    examples: int  # resident dataset

    def activations(self, examples: int) -> int:
        """Bytes that autograd saves in the forward pass of this many examples."""
        return self.kept_fixed + self.kept_per_example * examples

    def memory(self) -> dict[str, int]:
        """Peak bytes on one device during a step, by kind; temporaries (`RESERVE`) come on top."""
        return {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "ema": self.ema,
            "activations": self.activations(self.micro_batch),
            "examples": self.examples,
        }

    def ddp(self, devices: int) -> int:
        """Memory per device under DDP with this many devices: everything is replicated, only the
        batch is divided.
        """
        replicated = self.weights + self.gradients + self.optimizer + self.ema + self.examples
        return replicated + self.activations(self._share(devices))

    def fsdp(self, devices: int) -> int:
        """Memory per device under FSDP with this many devices: weights, gradients, optimizer state
        and EMA are divided, the largest layer is gathered.

        The gathered layer counts twice: its weights, and its gradients before they are reduced.
        (Rajbhandari et al., "ZeRO", arXiv 1910.02054, stage 3.)
        """
        divided = self.weights + self.gradients + self.optimizer + self.ema
        return (
            -(-divided // devices)
            + 2 * FLOAT32 * self.largest_layer
            + self.examples
            + self.activations(self._share(devices))
        )

    def _share(self, devices: int) -> int:
        return min(self.micro_batch, -(-self.batch // devices))


def plan(
    model: nn.Module,
    inputs: Tensor,
    *,
    batch: int,
    precision: torch.dtype,
    optimizer_tensors: int,
    ema: bool = False,
    micro_batch: int | None = None,
    examples: int = 0,
    device: torch.device | None = None,
) -> Plan:
    """The cost of training `model` (in training mode, on any device or on `meta`; it stays as it
    is).

    Its inputs are like `inputs` [any number, ...], whose values do not matter; its outputs are
    logits [n, classes].

    `batch` examples make a step, of which `micro_batch` are in memory at once; `precision` other
    than float32 is autocast's; `optimizer_tensors` counts the float32 tensors kept per trained
    parameter (AdamW 2, SGD with momentum 1); `examples` are bytes of the dataset that stay on the
    device. Activations are those of the kernels of `device` (default: the CPU), as
    torch.autograd.graph.saved_tensors_hooks sees them: each storage once, weights not counted.
    (Short by 4 bytes a channel of batch normalisation under autocast, whose statistics torch's
    stand-in keeps in the lower precision.) FLOPs are those of torch.utils.flop_counter: matrix
    products, convolutions, attention; what works element by element is left out. Raises
    `ParamsError` where no weight is trained.
    """
    device = device or torch.device("cpu")
    parameters = [*model.parameters()]
    trainable = sum(weight.numel() for weight in parameters if weight.requires_grad)
    if not trainable:
        raise ParamsError(
            f"train.transfer.frozen keeps all {len(parameters)} weight tensors as they are: nothing"
            " is left to learn; lower it"
        )
    weights = _bytes(parameters) + _bytes(model.buffers())
    # What is kept is a straight line over the number of examples. Two at least: batch normalisation
    # cannot train on one.
    two, four = (_trace(model, inputs, n, precision, device) for n in (2, 4))
    per_example = (four.kept - two.kept) // 2
    return Plan(
        parameters=sum(weight.numel() for weight in parameters),
        trainable=trainable,
        forward_flops=two.forward_flops // 2,
        step_flops=two.step_flops * batch // 2,
        batch=batch,
        micro_batch=min(micro_batch or batch, batch),
        weights=weights,
        gradients=trainable * FLOAT32,
        optimizer=trainable * FLOAT32 * optimizer_tensors,
        ema=weights if ema else 0,
        kept_per_example=per_example,
        kept_fixed=two.kept - 2 * per_example,
        largest_layer=max(
            (
                sum(weight.numel() for weight in layer.parameters(recurse=False))
                for layer in model.modules()
            ),
            default=0,
        ),
        examples=examples,
    )


def fits(needed: int, available: float) -> bool:
    """Whether `needed` bytes fit in `available` bytes and leave the reserve free."""
    return needed <= available * (1 - RESERVE)


def ddp_devices(cost: Plan, available: float) -> int | None:
    """The smallest number of devices with `available` bytes each that can train it under DDP; None
    if not even one example per device fits.
    """
    return next(
        (devices for devices in range(1, cost.batch + 1) if fits(cost.ddp(devices), available)),
        None,
    )


def fsdp_devices(cost: Plan, available: float) -> int | None:
    """The smallest number of devices with `available` bytes each that can train it under FSDP; None
    if not even one example per device fits.
    """
    return next(
        (devices for devices in range(1, cost.batch + 1) if fits(cost.fsdp(devices), available)),
        None,
    )


class _Trace(NamedTuple):
    forward_flops: int
    step_flops: int
    kept: int  # bytes


def _trace(
    model: nn.Module, inputs: Tensor, n: int, precision: torch.dtype, device: torch.device
) -> _Trace:
    """A training step of `n` examples on tensors without storage."""
    step = _Step(model, precision, device)
    # nn.Module's own method, because the wrapper of activation checkpointing returns other names
    # than it accepts.
    named = [*nn.Module.named_parameters(step), *nn.Module.named_buffers(step)]
    with FakeTensorMode():
        state = {name: _stand_in(value, device) for name, value in named}
        given = torch.empty(n, *inputs.shape[1:], dtype=inputs.dtype, device=device)
        labels = torch.zeros(n, dtype=torch.int64, device=device)
        # functional_call swaps the fake tensors in for the weights, and the weights back
        # afterwards.
        trace: _Trace = functional_call(step, state, (given, labels))
    return trace


class _Step(nn.Module):
    """A training step that measures itself; a module, so that the fake tensors stay in place until
    the backward pass ends.
    """

    def __init__(self, model: nn.Module, precision: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.model, self._precision, self._type = model, precision, device.type

    def forward(self, inputs: Tensor, labels: Tensor) -> _Trace:
        kept = _Kept([*self.parameters(), *self.buffers()])
        with saved_tensors_hooks(kept.pack, lambda tensor: tensor):
            self._loss(inputs, labels)
        # Once more without the hooks: they hand out equal tensors, not the same ones, and attention
        # that is recomputed in the backward pass then takes its query, key and value for three
        # inputs.
        with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as forward:
            loss = self._loss(inputs, labels)
        with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as backward:
            loss.backward()  # type: ignore[no-untyped-call]
        return _Trace(
            forward.get_total_flops(),
            forward.get_total_flops() + backward.get_total_flops(),
            kept.bytes(),
        )

    def _loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(self._type, self._precision, enabled=self._precision != torch.float32):
            logits = self.model(inputs)
        return functional.cross_entropy(logits.float(), labels)


def _stand_in(value: Tensor, device: torch.device) -> Tensor:
    return torch.empty(
        value.shape, dtype=value.dtype, device=device, requires_grad=value.requires_grad
    )


class _Kept:
    """The storages that autograd saves, each once, without those of `weights`."""

    def __init__(self, weights: list[Tensor]) -> None:
        self._weights = {weight.untyped_storage()._cdata for weight in weights}
        # Keeping the storages alive prevents the reuse of their addresses.
        self._storages: dict[int, torch.UntypedStorage] = {}

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._weights:
            self._storages[storage._cdata] = storage
        return tensor

    def bytes(self) -> int:
        return sum(storage.nbytes() for storage in self._storages.values())


def _attention_forward(
    query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object
) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _attention_backward(
    gradient: torch.Size,
    query: torch.Size,
    key: torch.Size,
    value: torch.Size,
    *_: object,
    **__: object,
) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))  # type: ignore[no-untyped-call]


# torch counts the attention kernels of GPUs; the CPU kernel has the same FLOPs and is missing from
# its list.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_forward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
