"""Labels and a network's answers as drift sees them: shares of the classes, and confidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from duli.base.errors import DataError
from duli.base.intervals import proportion
from duli.evaluation.predict import softmax
from duli.tasks.classification.targets.targets import Targets

Groups = dict[str, NDArray[np.int64]]  # name -> indices of `names` [n], -1 for none
Features = dict[str, NDArray[np.float64]]  # name -> [n]


class Answers:
    """Classes by name (see `duli.cli.incoming.Answers`)."""

    def __init__(self, stats: Mapping[str, Any]) -> None:
        """`stats` is data/prepared/stats.json."""
        self.names: list[str] = stats["classes"]

    def read(self, labels: pa.Array, path: Path) -> pa.Array:
        """Labels of a window as targets; what does not fit is -1, which is unknown."""
        if not (pa.types.is_integer(labels.type) or pa.types.is_null(labels.type)):
            raise DataError(
                f"{path}: the column 'label' is {labels.type}; it has to hold the index of the"
                " class, as an integer"
            )
        wide = labels.cast(pa.int64(), safe=False)
        fits = pc.and_(pc.greater_equal(wide, 0), pc.less(wide, 2**15))
        return pc.if_else(fits, wide, Targets.missing).cast(Targets.type)

    def labels(self, labels: NDArray[Any]) -> tuple[Groups, Features]:
        """The class of each example, [n]; -1 for none."""
        return {"label": labels.astype(np.int64)}, {}

    def outputs(self, logits: NDArray[np.float32]) -> tuple[Groups, Features]:
        """The class that each example gets, and how sure that is."""
        return {"prediction": logits.argmax(axis=1)}, {"confidence": softmax(logits).max(axis=1)}

    def counted(self, facts: Mapping[str, Any], path: Path) -> list[int]:
        """Answers by class, of the statistics of a server."""
        counts: list[int] = facts["predictions"]
        if facts.get("classes") != self.names or len(counts) != len(self.names):
            raise DataError(f"{path} counts other classes than the data set has; take it away")
        return counts


def score(answers: NDArray[np.int64], labels: NDArray[Any]) -> dict[str, float]:
    """The share of right answers, with its 95 % interval."""
    return proportion(int((answers == labels).sum()), len(labels))
