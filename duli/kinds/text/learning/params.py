"""The recipe's sections for texts: `train.augmentation` and `train.pretraining`."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class Augmentation(Section):
    """No settings: texts are not augmented."""


class Pretraining(Section):
    """Masked-language modelling on the training texts, before training on labels."""

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    masked: Share  # share of a text's tokens to predict
    batch: Annotated[int, Field(ge=1, le=65_536)]  # texts per step
    learning_rate: Annotated[float, Field(gt=0, le=1)]  # peak of the schedule
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    warm_up: Share  # warm-up: share of the steps until the peak
