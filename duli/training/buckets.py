"""Batches of examples of similar length, which need little padding."""

import torch
from torch import Tensor

# Batches that are sorted together: enough to keep padding below a tenth, few enough that batches
# differ every epoch.
POOL = 32


def alike(rows: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
    """The `rows` of an epoch (int64 [batches, batch], in random order), regrouped so that each
    batch holds rows of similar length.

    Rows are sorted by `lengths` [n] within pools of `POOL` batches and cut into batches again.
    `generator` then shuffles all batches, so that the step number says nothing about length.
    """
    batch = rows.shape[1]
    pools = [
        pool[torch.argsort(lengths[pool], stable=True)]
        for pool in torch.split(rows.flatten(), POOL * batch)
    ]
    return torch.cat(pools).view(-1, batch)[torch.randperm(len(rows), generator=generator)]
