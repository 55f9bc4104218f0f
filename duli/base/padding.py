"""Token arrays without needless padding, which costs as much time as real tokens."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cut(batch: NDArray[Any]) -> NDArray[Any]:
    """Tokens int32 [n, length] without the columns that are padding (0) in all rows, one column at
    least; any other array as it is.
    """
    if not tokens(batch):
        return batch
    used = np.flatnonzero(batch.any(axis=0))
    return np.ascontiguousarray(batch[:, : used[-1] + 1 if len(used) else 1])


def tokens(batch: NDArray[Any]) -> bool:
    """Whether an array holds tokens: rows of whole numbers."""
    return batch.ndim == 2 and batch.dtype == np.int32


def by_length(batch: NDArray[Any]) -> NDArray[np.intp]:
    """An order of the rows [n] that groups similar lengths, so that parts need little padding;
    arrays other than tokens keep their order.
    """
    return (
        np.argsort((batch != 0).sum(axis=1), kind="stable")
        if tokens(batch)
        else np.arange(len(batch))
    )


def typical_first(batch: NDArray[Any]) -> NDArray[Any]:
    """Tokens with a row of median length first, so that a batch of one is neither long nor short by
    chance.
    """
    if not tokens(batch) or not len(batch):
        return batch
    middle = int(by_length(batch)[len(batch) // 2])
    return np.concatenate([batch[middle : middle + 1], np.delete(batch, middle, axis=0)])
