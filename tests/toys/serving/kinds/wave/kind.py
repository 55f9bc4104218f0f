"""Waves: 16 samples each, float32."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import npy
from ...bodies import INVOKED, Asked, document, under
from ...errors import InputError
from ...kind import Described, Labelled, Tensor
from ...sources import content_of
from ...task import Task
from .words import WORDS

Waves = NDArray[np.float32]  # [n, samples]
NPY = b"application/x-npy"


class Kind:
    """Waves of so many samples (see `Kind` of kind.py)."""

    words = WORDS
    feed = "samples"
    numbers = "send numbers alone"
    media = frozenset((NPY,))

    def __init__(self, release: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
        self.samples: int = release["input"]["features"]
        self.about = {"input": release["input"]}
        self.tensor = Tensor("samples", "FP32", [-1, self.samples], "send numbers as such")

    def checked(self, inputs: Any) -> Waves:
        try:
            waves = np.asarray(inputs, np.float32)
        except (TypeError, ValueError):
            raise InputError("a wave is no list of numbers; correct it") from None
        if waves.ndim != 2 or waves.shape[1] != self.samples or not len(waves):
            raise InputError(f"waves are [n, {self.samples}], these are {list(waves.shape)}")
        return waves

    def parts(self, inputs: Waves) -> Iterator[tuple[slice, Waves]]:
        yield slice(0, len(inputs)), inputs

    def joined(self, several: list[Waves]) -> Waves:
        return np.concatenate(several)

    def work(self, inputs: Waves) -> float:
        return len(inputs)

    def load(self, source: str) -> Waves:
        return self.body(content_of(source), NPY)

    def labelled(self, sources: list[str], task: Task) -> Labelled:
        lines = [json.loads(line) for line in content_of(sources[0]).splitlines()]
        waves = self.checked([line["wave"] for line in lines])
        return Labelled(waves, task.targets([str(line["label"]) for line in lines]))

    def body(self, content: bytes, media: bytes) -> Waves:
        dtype, _, shape, start = npy.header(content)
        return self.checked(np.frombuffer(content, dtype, offset=start).reshape(shape))

    def asked(self, body: bytes) -> Asked:
        return self._found(body, ("waves",))

    def invoked(self, body: bytes) -> Asked:
        return self._found(body, INVOKED[:2])

    def _found(self, body: bytes, names: tuple[str, ...]) -> Asked:
        values, _ = document(body, self.numbers)
        return Asked(self.checked(values[under(values, names, "waves")]), values)

    def fits(self, sizes: list[int]) -> None:
        if len(sizes) != 2 or sizes[1] != self.samples:
            raise InputError(f"the shape is {sizes}; the model takes [n, {self.samples}]")

    def listed(self, data: list[Any], sizes: list[int], *, truths: bool) -> Waves:
        self.fits(sizes)
        return self.checked(np.array(data, np.float32).reshape(sizes))

    def size(self, sizes: list[int]) -> int:
        return 4 * sizes[0] * sizes[1]

    def unpacked(self, body: bytes, start: int, sizes: tuple[int, ...]) -> Waves:
        return self.checked(np.frombuffer(body, "<f4", offset=start).reshape(sizes))

    def described(self) -> Described:
        wave = {"type": "array", "items": {"type": "number"}}
        waves = {"type": "array", "items": wave, "minItems": 1}
        return Described(
            {"Wave": wave},
            {"waves": waves},
            {NPY.decode(): {"type": "string", "format": "binary"}},
            {"inputs": waves, "instances": waves},
            [([n, self.samples], {"type": "array", "items": wave}) for n in (1, 2)],
        )
