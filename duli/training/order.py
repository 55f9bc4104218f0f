"""In which order the examples are seen, and which of them again."""

from collections.abc import Iterator

import torch
from torch import Tensor

from duli.training.params import Training


def steps(n: int, settings: Training) -> int:
    """How many batches `batches` yields for `n` examples."""
    batch = min(settings.batch, n)
    return n // batch + (settings.epochs - 1) * (_again(n, batch, settings.hardest) // batch)


def batches(losses: Tensor, settings: Training, generator: torch.Generator) -> Iterator[tuple[int, Tensor]]:
    """Yields epoch (from 1) and rows (int64 [batch], on the CPU) of each batch.

    The first epoch goes over all examples, each later one over the `settings.hardest` share with the highest last loss:
    most digits are learned at first sight, and a second look at those costs as much as one at an example still wrong.
    (After Loshchilov & Hutter, "Online Batch Selection for Faster Training of Neural Networks", arXiv 1511.06343, which
    draws by the rank of the latest known loss.) `losses` [n] is what the caller knows of each example, kept up to date
    between the batches; infinity for one that was not seen yet. Batches are full; the few examples left over at the end
    of an epoch are other ones every time.
    """
    n = len(losses)
    batch = min(settings.batch, n)
    for epoch in range(1, settings.epochs + 1):
        if epoch == 1:
            rows = torch.randperm(n, generator=generator)
        else:
            hardest = losses.topk(_again(n, batch, settings.hardest), sorted=False).indices.cpu()
            rows = hardest[torch.randperm(len(hardest), generator=generator)]
        for chosen in torch.split(rows, batch):
            if len(chosen) == batch:
                yield epoch, chosen


def _again(n: int, batch: int, share: float) -> int:
    """How many examples a later epoch takes: the share, but at least one batch."""
    return max(batch, round(n * share))
