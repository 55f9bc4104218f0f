"""The contents of a table release, and its words in card and papers."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from duli.packaging.product import Usage
from duli.serving.kinds.table.words import WORDS


class Kind:
    """Rows of named features (see `duli.packaging.product.Kind`)."""

    words = WORDS
    modality = "tabular"
    usage = Usage(
        "rows.csv",
        "columns by name, in any order; also .npy, .gz, and - for standard input",
        "rows.csv",
        "every file",
        "DATA.csv",
        '@rows.csv -H "Content-Type: text/csv"',
    )
    runtime = ("numpy", "onnxruntime")
    columns: tuple[str, ...] = ()
    suffix = ".npy"
    rows = 4096
    before = "The scaling of the features, and what stands for missing ones, are part of the graph."
    reading = ""

    def __init__(self, stats: Mapping[str, Any]) -> None:
        self.features: list[str] = stats["features"]
        self.centred: dict[str, Sequence[float]] = stats.get("centred") or {}
        n = len(self.features)
        places = [
            f"{name} as (value - {offset!r}) / {scale!r}"
            for name, (offset, scale) in self.centred.items()
        ]
        self.centres = f"computed in float64: {', '.join(places)}" if places else None
        plain = f"features: float32 [n, {n}]"
        self.tensor = f"{plain}, {self.centres}" if places else plain
        held = "float64, for float32 does not hold them all" if places else "float32"
        self.python = f"`rows` are numbers ({held}) as [n, {n}], NaN if one is missing"
        self.facts: dict[str, Any] = {
            "features": self.features,
            **({"centred": self.centred} if places else {}),
        }

    def carried(self, rules: Mapping[str, Any]) -> dict[str, bytes]:
        """No files."""
        return {}

    def written(self, contents: Sequence[bytes]) -> bytes:
        """A .npy of the numbers as they were measured: a feature that is centred goes back to where
        it lies, in float64.
        """
        import numpy as np

        rows = np.frombuffer(b"".join(contents), "<f4").reshape(len(contents), -1)
        if self.centred:
            places = [self.centred.get(name, (0.0, 1.0)) for name in self.features]
            offset, scale = np.array(places).T
            rows = rows.astype(np.float64) * scale + offset
        buffer = io.BytesIO()
        np.save(buffer, rows)
        return buffer.getvalue()
