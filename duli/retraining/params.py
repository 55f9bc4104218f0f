"""The `retrain` section: when a release line asks to be trained again."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section
from duli.retraining.drift_params import Drift

Count = Annotated[int, Field(ge=1)]


class Retrain(Section):
    """The triggers of a retraining besides a change of code, params or data."""

    max_age_days: Count | None = 90  # of the champion, since it was first promoted; None: any age
    drift: Drift = Drift()
    # of the champion on labelled incoming data, as the task scores; None: not asked
    worst_score: Annotated[float, Field(allow_inf_nan=False)] | None
    # labelled ones that have come in, before their number or the score on them counts
    min_examples: Count = 200
