"""The `validate` section: what the prepared examples have to look like."""

from typing import Annotated

from pydantic import Field, model_validator

from duli.base.params import Section

Share = Annotated[float, Field(ge=0, le=1)]


class Range(Section):
    """An inclusive range."""

    min: float
    max: float

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.min > self.max:
            raise ValueError("has min above max")
        return self


class Shift(Section):
    """The allowed distance of a split from train."""

    # Standard deviations that the mean of a statistic may differ by, even if chance does not do it.
    tolerance: Annotated[float, Field(ge=0)] = 0.25
    ignore: tuple[str, ...] = ()  # names of statistics that may differ; `label`: shares of classes


class Validate(Section):
    """Bounds of the Great Expectations suite; outside them the line stops."""

    min_examples: Annotated[int, Field(ge=1)]  # of all splits together
    max_quarantined_share: Share  # of all examples read
    # of each class within each split, where the task has classes
    class_share: Range | None = None
    # by column of the prepared examples: the mean of each split
    statistics: dict[str, Range] = Field(default_factory=dict)
    shift: Shift = Shift()
