"""Brings the examples of each step to the device, as they are kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

SHARE_OF_MEMORY = 0.5  # of a GPU's free memory that examples may take when they are kept there
SHARD_BYTES = 64 << 20  # of examples that travel at once, where they are streamed


class Examples(NamedTuple):
    """A split: stored examples, and the target of each."""

    inputs: Tensor  # [n, ...], such as uint8 [n, channels, height, width]
    targets: Tensor  # [n, ...], such as int64 class indices [n]

    def to(self, device: torch.device) -> "Examples":
        """All examples on `device`."""
        return Examples(self.inputs.to(device), self.targets.to(device))


def resident(wanted: str, size: int, free: int | None) -> bool:
    """Whether `size` bytes of examples are kept on the device (`train.examples`), which has `free`
    bytes; None: it is main memory.
    """
    return wanted == "resident" or (
        wanted == "auto" and (free is None or size <= free * SHARE_OF_MEMORY)
    )


def batches(
    examples: Examples, rows: Tensor, mine: slice, device: torch.device, *, kept: bool
) -> Iterator[Examples]:
    """The examples of each batch of `rows` (int64 [batches, batch]), on `device`; of each batch
    only `mine`.

    `kept`: they are on the device already. Otherwise they travel in shards of many batches, the
    next one gathered in pinned memory and copied while the current one is worked on: two shards are
    on the device at most.
    """
    rows = rows[:, mine]
    if kept:
        for batch in rows:
            chosen = batch.to(device, non_blocking=True)
            yield Examples(examples.inputs[chosen], examples.targets[chosen])
        return
    size = max(1, examples.inputs[0].numel() * rows.shape[1])
    shards = torch.split(rows, max(1, SHARD_BYTES // size)) if len(rows) else ()
    copies = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
    with ThreadPoolExecutor(1, "shards") as thread:
        coming = thread.submit(_shard, examples, shards[0], device, copies) if shards else None
        for index, shard in enumerate(shards):
            assert coming is not None
            here = coming.result()
            if copies is not None:
                torch.cuda.current_stream(device).wait_stream(copies)
            if index + 1 < len(shards):
                coming = thread.submit(_shard, examples, shards[index + 1], device, copies)
            for inputs, targets in zip(
                *(torch.split(column, shard.shape[1]) for column in here), strict=True
            ):
                if copies is not None:
                    # Memory made on one stream and read on another must not be reused before that
                    # reading is done.
                    inputs.record_stream(torch.cuda.current_stream(device))
                    targets.record_stream(torch.cuda.current_stream(device))
                yield Examples(inputs, targets)


def _shard(
    examples: Examples, rows: Tensor, device: torch.device, stream: "torch.cuda.Stream | None"
) -> Examples:
    chosen = rows.flatten()
    shard = Examples(examples.inputs[chosen], examples.targets[chosen])
    if stream is None:
        return shard.to(device)
    with torch.cuda.stream(stream):
        return Examples(*(column.pin_memory().to(device, non_blocking=True) for column in shard))
