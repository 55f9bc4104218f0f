"""The section `retrain.drift`: when incoming data count as drifted from the champion's training
data.
"""

from typing import Annotated

from pydantic import Field, model_validator

from duli.base.params import Section


class Drift(Section):
    """The settings of the drift test, and the number of windows that decide."""

    # false-alarm rate: share of windows without drift that may fire, over all tests of a window
    false_alarms: Annotated[float, Field(ge=0.001, le=0.2)] = 0.02
    windows: Annotated[int, Field(ge=1, le=100)] = 3  # number of latest windows that are examined
    # number of these that have to fire before drift retrains
    needed: Annotated[int, Field(ge=1)] = 2
    # a smaller window is not judged, and does not fire
    min_examples: Annotated[int, Field(ge=50)] = 200
    # largest number of validation examples that represent the training data
    reference: Annotated[int, Field(ge=100, le=50_000)] = 5000
    # resamples of these that calibrate the thresholds
    resamples: Annotated[int, Field(ge=100, le=20_000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _can_be(self) -> "Drift":
        if self.needed > self.windows:
            raise ValueError(
                f"asks for {self.needed} of {self.windows} windows; lower needed, or raise windows"
            )
        if self.resamples * self.false_alarms < 10:
            fewest = -(-10 // self.false_alarms)
            raise ValueError(
                f"has too few resamples to find {self.false_alarms:.1%} of false alarms; take at"
                f" least {fewest:.0f}"
            )
        return self
