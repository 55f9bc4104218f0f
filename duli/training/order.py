"""The order of examples within an epoch, and the selection for later epochs."""

import torch
from torch import Tensor

from duli.training.params import Training


def steps(n: int, settings: Training) -> int:
    """The number of steps of all epochs over `n` examples."""
    return sum(batches(n, epoch, settings) for epoch in range(1, settings.epochs + 1))


def batches(n: int, epoch: int, settings: Training) -> int:
    """The number of full batches in an epoch (from 1) over `n` examples."""
    batch = min(settings.batch, n)
    return n // batch if epoch == 1 else _again(n, batch, settings.hardest) // batch


def rows(losses: Tensor, epoch: int, settings: Training, generator: torch.Generator) -> Tensor:
    """The rows of an epoch (from 1) in training order: int64 [batches, batch], on the CPU.

    The first epoch covers all examples; later ones cover the `settings.hardest` share with the
    highest latest loss. Most examples are learned at first sight, and a second pass over them costs
    as much as one over examples that are still wrong. (After Loshchilov & Hutter, "Online Batch
    Selection for Faster Training of Neural Networks", arXiv 1511.06343, which samples by loss
    rank.) `losses` [n] is the latest known loss of each example when the epoch begins, infinity for
    unseen ones. Batches are full; the few examples left out of an epoch differ every time.
    """
    n = len(losses)
    batch = min(settings.batch, n)
    if epoch == 1:
        order = torch.randperm(n, generator=generator)
    else:
        hardest = losses.topk(_again(n, batch, settings.hardest), sorted=False).indices.cpu()
        order = hardest[torch.randperm(len(hardest), generator=generator)]
    return order[: batches(n, epoch, settings) * batch].view(-1, batch)


def _again(n: int, batch: int, share: float) -> int:
    """The number of examples of a later epoch: the share, but at least one batch."""
    return max(batch, round(n * share))
