"""Moves the stored examples of each step to the device."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

SHARE_OF_MEMORY = 0.5  # share of a GPU's free memory that resident examples may use
SHARD_BYTES = 64 << 20  # bytes of a shard when examples are streamed


class Examples(NamedTuple):
    """The stored examples of a split, and the target of each."""

    inputs: Tensor  # [n, ...], such as uint8 [n, channels, height, width]
    targets: Tensor  # [n, ...], such as int64 class indices [n]

    def to(self, device: torch.device) -> "Examples":
        """All examples on `device`."""
        return Examples(self.inputs.to(device), self.targets.to(device))


def resident(wanted: str, size: int, free: int | None) -> bool:
    """Whether `size` bytes of examples stay on the device (`train.examples`); `free` is its free
    memory in bytes, None for main memory.
    """
    return wanted == "resident" or (
        wanted == "auto" and (free is None or size <= free * SHARE_OF_MEMORY)
    )


def batches(
    examples: Examples, rows: Tensor, mine: slice, device: torch.device, *, kept: bool
) -> Iterator[Examples]:
    """Yields the examples of each batch of `rows` (int64 [batches, batch]) on `device`, limited to
    the slice `mine` of each batch.

    `kept` means that they are on the device already. Otherwise they are copied in shards of many
    batches: the next shard is gathered in pinned memory and copied while the current one is used.
    At most two shards are on the device.
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
                    # Memory allocated on one stream and read on another must not be reused before
                    # the read is done.
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
