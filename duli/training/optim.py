"""Optimizers and learning-rate schedules."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Muon, Optimizer

from duli.training.layers import layers
from duli.training.params import Training

# Short runs need a short memory: with the usual 0.9 and 0.999 the averages are still warming up
# when the run ends.
BETAS = (0.7, 0.9)
MOMENTUM = 0.9  # of SGD; Muon keeps torch's 0.95
START = 0.1  # share of the peak at which a schedule starts
# shares of the run at which the step schedule drops (He et al., arXiv 1512.03385, on CIFAR)
MILESTONES = (0.5, 0.75)
DROP = 0.1  # factor of a drop in the step and plateau schedules
PATIENCE = 1  # patience of the plateau schedule, in evaluations

# state tensors per weight (muon: 2 for the weights that AdamW trains)
STATE_TENSORS = {"adam": 2, "adamw": 2, "sgd": 1, "muon": 1}


class KernelMuon(Muon):
    """Muon for convolution kernels too: [out, in, ...] is viewed as [out, in * ...], because
    torch's accepts matrices only.

    The author of Muon does the same on CIFAR (Keller Jordan, kellerjordan.github.io/posts/muon).
    Momentum keeps the kernel's shape.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, weight_decay: float) -> None:
        # Scales the rate to match AdamW's (arXiv 2502.16982), so that one `learning_rate` suits
        # both.
        matrices = [{**group, "params": [nn.Parameter(torch.empty(1, 1))]} for group in groups]
        # checks for matrices ...
        super().__init__(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        for own, group in zip(self.param_groups, groups, strict=True):
            own["params"] = group["params"]  # ... and is given the kernels afterwards

    def _init_group(
        self, group: Any, params: list[Tensor], grads: list[Tensor], momenta: list[Tensor]
    ) -> bool:
        for kernel in group["params"]:
            if kernel.grad is None:
                continue
            momentum = self.state[kernel].setdefault("momentum_buffer", torch.zeros_like(kernel))
            # The three need the same memory layout, or their columns would not match.
            grad = (
                kernel.grad
                if kernel.grad.stride() == kernel.stride()
                else torch.empty_like(kernel).copy_(kernel.grad)
            )
            for views, tensor in zip(
                (params, grads, momenta), (kernel, grad, momentum), strict=True
            ):
                views.append(_matrix(tensor))
        return False  # none has complex numbers


def _matrix(kernel: Tensor) -> Tensor:
    """A view [out, rest] of a kernel in any memory format; Muon does not depend on the order of
    columns.
    """
    if kernel.dim() == 4 and not kernel.is_contiguous():
        kernel = kernel.permute(0, 2, 3, 1)  # channels-last memory
    return kernel.view(len(kernel), -1)


def build(model: nn.Module, settings: Training) -> list[Optimizer]:
    """The optimizers for all weights of `model`, frozen ones included; each group has its
    `initial_lr`.

    A layer's learning rate is `transfer.layer_decay` times that of the layer above it (Howard &
    Ruder, arXiv 1801.06146). AdamW: Loshchilov & Hutter, arXiv 1711.05101. Muon trains the matrices
    and kernels between the first and the last layer, AdamW the rest.
    """
    stack = layers(model)
    rate, decay = settings.learning_rate, settings.weight_decay
    kernels: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for index, layer in enumerate(stack):
        lr = rate * settings.transfer.layer_decay ** (len(stack) - 1 - index)
        hidden = settings.optimizer == "muon" and 0 < index < len(stack) - 1
        kernels.append(
            {"lr": lr, "params": [weight for weight in layer if hidden and weight.dim() >= 2]}
        )
        others.append(
            {"lr": lr, "params": [weight for weight in layer if not (hidden and weight.dim() >= 2)]}
        )
    kernels, others = _merged(kernels), _merged(others)
    optimizers: list[Optimizer]
    match settings.optimizer:
        case "adam":
            optimizers = [torch.optim.Adam(others, betas=BETAS, weight_decay=decay, fused=True)]
        case "sgd":
            # torch has no fused SGD for FSDP2's sharded weights.
            fused = not any(hasattr(weight, "device_mesh") for weight in model.parameters())
            optimizers = [
                torch.optim.SGD(
                    others, momentum=MOMENTUM, nesterov=True, weight_decay=decay, fused=fused
                )
            ]
        case _:
            optimizers = [torch.optim.AdamW(others, betas=BETAS, weight_decay=decay, fused=True)]
    if kernels:
        optimizers.append(KernelMuon(kernels, lr=rate, weight_decay=decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def _merged(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merges groups of equal learning rate, in layer order, and drops empty ones: fewer, larger
    calls are faster.
    """
    merged: dict[float, dict[str, Any]] = {}
    for group in groups:
        if group["params"]:
            merged.setdefault(group["lr"], {"lr": group["lr"], "params": []})["params"] += group[
                "params"
            ]
    return list(merged.values())


class Schedule:
    """Sets the learning rate of every step. torch's schedulers cannot resume within a step or
    combine with a plateau.
    """

    def __init__(self, optimizers: list[Optimizer], settings: Training, steps: int) -> None:
        self._optimizers, self._settings, self._steps = optimizers, settings, steps
        # of the plateau; saved in checkpoints
        self.reduction, self.best, self.waited = 1.0, math.inf, 0

    def set(self, done: int) -> float:
        """Sets the rates for the step after `done` steps; returns the rate of the top layer."""
        share = share_of_peak(done, self._steps, self._settings) * self.reduction
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * share
        return self._settings.learning_rate * share

    def seen(self, validation_loss: float) -> None:
        """Passes the latest evaluation to the plateau schedule."""
        if self._settings.schedule != "plateau":
            return
        if validation_loss < self.best:
            self.best, self.waited = validation_loss, 0
        elif self.waited < PATIENCE:
            self.waited += 1
        else:
            self.reduction, self.waited = self.reduction * DROP, 0


def share_of_peak(done: int, steps: int, settings: Training) -> float:
    """The share of the peak learning rate after `done` of `steps` steps: a linear warm-up, then the
    schedule.

    `one_cycle`: linear decay to zero (Smith & Topin, arXiv 1708.07120); `cosine`: half a cosine to
    zero (Loshchilov & Hutter, arXiv 1608.03983); `step`: a tenth at each milestone; `plateau`,
    `constant`: no change.
    """
    peak = settings.warm_up * steps
    if done < peak:
        return START + (1 - START) * done / peak
    left = (steps - done) / (steps - peak)
    match settings.schedule:
        case "one_cycle":
            return left
        case "cosine":
            return (1 - math.cos(math.pi * left)) / 2
        case "step":
            return math.prod(DROP for milestone in MILESTONES if done >= milestone * steps)
        case _:
            return 1.0
