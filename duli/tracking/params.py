"""The `promotion` section: what a release has to show before it becomes the champion."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section

Accuracy = Annotated[float, Field(ge=0, le=1)]  # a difference of shares of right answers


class Promotion(Section):
    """The requirements for a challenger besides its gates."""

    # that may be lost against the champion, at the unfavourable end of the 95 % interval
    not_worse_by: Accuracy
    # that has to be won at that end, beyond seed noise; 0: any certain gain, None: no gain
    better_by: Accuracy | None = None
    # standard deviation of the accuracy over trainings that differ in their seed alone
    seed_noise: Accuracy
    # else an unsigned release may become champion, and is called unsigned
    require_signature: bool = False
