"""The numbers of the toy's reports that a gate may name."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from duli.base.intervals import SHARE
from duli.base.params import Section


class Evaluate(Section):
    """How the toy is judged."""

    resamples: Annotated[int, Field(ge=100)]


SETTINGS = Evaluate


def rows(
    evaluate: Evaluate, quantize: Any, ways: Sequence[str]
) -> list[tuple[tuple[str, ...], ...]]:
    """Each row stands for all dotted names that take one of each of its parts."""
    return [
        (("train",), ("validation_mean_absolute_error",), SHARE),
        (("evaluation",), ("n", "worst_error")),
        (("evaluation",), ("mean_absolute_error", "accuracy_of_accepted"), SHARE),
        (("evaluation",), ("baseline",), ("median",), ("gain",), SHARE),
    ]
