"""The `evaluate` section: how the trained model is judged on the test split."""

from typing import Annotated

from pydantic import Field

from duli.params import Section


class Slices(Section):
    """The parts of the test split that are judged by themselves."""

    min_examples: Annotated[int, Field(ge=1)]  # a smaller one is named, not judged
    quantiles: Annotated[int, Field(ge=2, le=20)]  # parts of equal size that a number is cut into


class Evaluate(Section):
    """What the judgement needs to know besides model and data."""

    confidence_threshold: Annotated[float, Field(ge=0, le=1)]  # an answer less sure than this goes to a person
    top_k: Annotated[int, Field(ge=1)]  # the label counts as found among this many most probable classes
    slices: Slices
