"""Batches of examples of like length, so that little of the work goes into padding."""

import torch
from torch import Tensor

# Batches whose rows are sorted together: enough for less than a tenth of padding, and few enough
# for batches that differ every epoch.
POOL = 32


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
