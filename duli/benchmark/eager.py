"""The reference for the compressed files: the trained network in torch, in float32, from stored
examples.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

Call = Callable[[NDArray[Any]], Any]


def calls(networks: Mapping[str, Any]) -> dict[str, Call]:
    """One call per torch module by name, with preprocessing, in evaluation and inference mode."""
    import torch

    def of(network: Any) -> Call:
        def call(inputs: NDArray[Any]) -> Any:
            with torch.inference_mode():
                return network(torch.from_numpy(inputs))

        return call

    return {name: of(network.eval()) for name, network in networks.items()}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limits torch to one thread within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
