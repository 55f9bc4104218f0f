"""The optimizer and the schedule of its learning rate."""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from duli.training.params import Training

# Short runs want a short memory: with the usual 0.9 and 0.999 the averages are still forming when the run ends.
BETAS = (0.7, 0.9)
START = 0.1  # where the schedule begins, as a share of the peak


def build(model: nn.Module, settings: Training, steps: int) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101) and the schedule of its learning rate over `steps` steps."""
    rate, decay = settings.learning_rate, settings.weight_decay
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=BETAS, weight_decay=decay, fused=True)
    return optimizer, LambdaLR(optimizer, lambda done: one_cycle(done, steps, settings.warm_up))


def one_cycle(done: int, steps: int, warm_up: float) -> float:
    """The share of the peak learning rate after `done` of `steps` steps: a straight line up, then one down to nothing.

    The one-cycle schedule of Smith & Topin, arXiv 1708.07120. Not torch's OneCycleLR, which divides by zero where the
    warm-up lasts exactly one step.
    """
    peak = warm_up * steps
    return min(START + (1 - START) * done / peak, (steps - done) / (steps - peak))
