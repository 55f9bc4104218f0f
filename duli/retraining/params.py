"""The `retrain` section: when a release line asks to be trained again."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section
from duli.retraining.drift_params import Drift

Count = Annotated[int, Field(ge=1)]


class Retrain(Section):
    """The triggers of a retraining besides a change of code, params or data."""

    max_age_days: Count | None = 90  # age of the champion since its first promotion; None: no limit
    drift: Drift = Drift()
    # score of the champion on labelled incoming data, in the task's terms; None: not checked
    worst_score: Annotated[float, Field(allow_inf_nan=False)] | None
    # labelled incoming examples needed before their number or the score on them counts
    min_examples: Count = 200
