"""What drift sees of loudness: the answers, as a number."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.evaluation import bootstrap


class Answers:
    """One number each (see `duli.cli.incoming.Answers`)."""

    names: ClassVar[list[str]] = []

    def __init__(self, stats: Mapping[str, Any]) -> None:
        pass

    def read(self, labels: pa.Array, path: Path) -> pa.Array:
        """Labels of a window as float32."""
        return labels.cast(pa.float32())

    def labels(self, labels: NDArray[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Nothing: a window may lack them."""
        return {}, {}

    def outputs(self, outputs: NDArray[np.float32]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The answers, [n]."""
        return {}, {"prediction": outputs[:, 0].astype(np.float64)}

    def counted(self, facts: Mapping[str, Any], path: Path) -> list[int]:
        """Nothing: no server counts them."""
        return []


def score(answers: NDArray[np.float32], labels: NDArray[np.float32]) -> dict[str, float]:
    """The mean absolute error with its 95 % interval."""
    return bootstrap.of_examples(lambda errors: errors.mean(axis=-1), np.abs(answers - labels))
