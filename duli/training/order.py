"""The order of examples within an epoch, and the selection for later epochs."""

import torch
from torch import Tensor

from duli.training.params import Training

# Batches whose rows are sorted together: enough for less than a tenth of padding, and few enough
# for batches that differ every epoch.
POOL = 32


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


def alike(rows: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
    """The same `rows` of an epoch (int64 [batches, batch], in random order), with rows of like
    length in one batch.

    Of every `POOL` batches the rows are sorted by `lengths` [n] and cut into batches again; then
    the order of all batches is drawn by `generator`, so that a step learns of nothing but its
    number how long its examples are.
    """
    batch = rows.shape[1]
    pools = [
        pool[torch.argsort(lengths[pool], stable=True)]
        for pool in torch.split(rows.flatten(), POOL * batch)
    ]
    return torch.cat(pools).view(-1, batch)[torch.randperm(len(rows), generator=generator)]


def _again(n: int, batch: int, share: float) -> int:
    """The number of examples of a later epoch: the share, but at least one batch."""
    return max(batch, round(n * share))
