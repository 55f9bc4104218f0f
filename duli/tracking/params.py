"""The `promotion` section: what a release has to show before it becomes the champion."""

from typing import Annotated

from pydantic import Field

from duli.params import Section

Accuracy = Annotated[float, Field(ge=0, le=1)]  # a difference of shares of right answers


class Promotion(Section):
    """What is asked of a challenger besides its gates."""

    not_worse_by: Accuracy  # that may be lost against the champion, at the unfavourable end of the 95 % interval
    better_by: Accuracy | None  # that has to be won at that end, beyond seed noise; None: it need not be better
    seed_noise: Accuracy  # standard deviation of the accuracy over trainings that differ in their seed alone
    require_signature: bool  # else an unsigned release may become champion, and is called unsigned
