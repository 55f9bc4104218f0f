"""What a release of waves is made of."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from duli.serving.kinds.wave.words import WORDS

from duli.packaging.product import Usage


class Kind:
    """Waves (see `duli.packaging.product.Kind`)."""

    words = WORDS
    modality = "audio"
    usage = Usage(
        "waves.npy",
        "an array of float32",
        "waves.npy",
        "every file",
        "DATA.jsonl",
        '@waves.npy -H "Content-Type: application/x-npy"',
    )
    runtime = ("numpy", "onnxruntime")
    columns: tuple[str, ...] = ()
    suffix = ".npy"
    rows = 1000
    before = "The scaling of samples is part of the graph."
    reading = ""
    centres = None

    def __init__(self, stats: Mapping[str, Any]) -> None:
        self.samples = stats["input"]["features"]
        self.tensor = f"samples: float32 [n, {self.samples}]"
        self.python = f"`waves` are numbers (float32) as [n, {self.samples}]"
        self.facts: dict[str, Any] = {}

    def carried(self, rules: Mapping[str, Any]) -> dict[str, bytes]:
        """Nothing."""
        return {}

    def written(self, contents: Sequence[bytes]) -> bytes:
        """A .npy."""
        import numpy as np

        buffer = io.BytesIO()
        np.save(buffer, np.frombuffer(b"".join(contents), "<f4").reshape(-1, self.samples))
        return buffer.getvalue()
