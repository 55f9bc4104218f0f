"""What the compressed files are compared with: the trained network as torch runs it, from examples
as they are kept, in float32.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

Call = Callable[[NDArray[Any]], Any]


def calls(networks: Mapping[str, Any]) -> dict[str, Call]:
    """By name a call of each torch module, preprocessing and all, in evaluation mode and inference
    mode.
    """
    import torch

    def of(network: Any) -> Call:
        def one(inputs: NDArray[Any]) -> Any:
            with torch.inference_mode():
                return network(torch.from_numpy(inputs))

        return one

    return {name: of(network.eval()) for name, network in networks.items()}


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
