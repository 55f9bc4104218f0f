"""The `validate` section: requirements on the prepared examples."""

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

    # Tolerated difference of a statistic's mean in standard deviations, even beyond chance.
    tolerance: Annotated[float, Field(ge=0)] = 0.25
    ignore: tuple[str, ...] = ()  # names of statistics that may differ; `label`: shares of classes


class Validate(Section):
    """Bounds of the Great Expectations suite; outside them the line stops."""

    min_examples: Annotated[int, Field(ge=1)]  # examples of all splits together
    max_quarantined_share: Share  # share of all examples read
    # share of each class within each split, if the task has classes
    class_share: Range | None = None
    # by column of the prepared examples: the mean of each split
    statistics: dict[str, Range] = Field(default_factory=dict)
    shift: Shift = Shift()
