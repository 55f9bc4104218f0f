"""The contents of an image release, and its words in card and papers."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from duli.packaging.product import Usage
from duli.serving.kinds.image.pictures import Rules
from duli.serving.kinds.image.words import WORDS


class Kind:
    """Images of one size (see `duli.packaging.product.Kind`)."""

    words = WORDS
    modality = "image"
    usage = Usage(
        "image.png",
        "any picture; also .npy and IDX files, .gz, and - for standard input",
        "images.npy",
        "every image",
        "IMAGES LABELS",
        '@image.png -H "Content-Type: image/png"',
    )
    runtime = ("numpy", "onnxruntime", "pillow")
    columns: tuple[str, ...] = ()
    suffix = ".npy"
    rows = 4096
    before = "The scaling of pixels is part of the graph."
    centres = None

    def __init__(self, stats: Mapping[str, Any]) -> None:
        size, pictures = stats["input"], stats.get("pictures", {})
        self.shape = (size["channels"], size["height"], size["width"])
        channels, height, width = self.shape
        alone = f" or [n, {height}, {width}]" if channels == 1 else ""
        self.tensor = f"images: uint8 [n, {channels}, {height}, {width}]"
        self.python = (
            f"`images` are pixels 0 to 255 (uint8) as [n, {channels}, {height}, {width}]{alone}"
        )
        self.reading = (
            "Command, server and page read picture files as training does; pixels given as such are"
            f" taken as\nthey are. {Rules.of(pictures).said(channels == 1)}"
        )
        self.facts = {"pictures": pictures}

    def carried(self, rules: Mapping[str, Any]) -> dict[str, bytes]:
        """No files."""
        return {}

    def written(self, contents: Sequence[bytes]) -> bytes:
        """A .npy of pixels."""
        import numpy as np

        buffer = io.BytesIO()
        pixels = np.frombuffer(b"".join(contents), np.uint8)
        np.save(buffer, pixels.reshape(len(contents), *self.shape))
        return buffer.getvalue()
