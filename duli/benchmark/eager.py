"""What the compressed files are compared with: the trained network as torch runs it, from the same raw bytes, in float32."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Call = Callable[[NDArray[np.uint8]], Any]


def calls(model: Any, mean: float, std: float) -> dict[str, Call]:
    """A call of the torch module in evaluation mode for images [n, channels, height, width], in inference mode.

    `torch`: as anybody gets it who restores the weights and calls it; `torch_channels_last`: weights and images with the channels last,
    which oneDNN prefers.
    """
    import torch

    def of(network: Any, layout: Any) -> Call:
        def one(images: NDArray[np.uint8]) -> Any:
            with torch.inference_mode():
                return network(((torch.from_numpy(images).float() / 255 - mean) / std).contiguous(memory_format=layout))

        return one

    last = torch.channels_last
    return {
        "torch": of(model, torch.contiguous_format),
        "torch_channels_last": of(copy.deepcopy(model).to(memory_format=last), last),
    }


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
