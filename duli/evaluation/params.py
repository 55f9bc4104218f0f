"""The `evaluate` section: how the trained model is judged on the test split."""

from typing import Annotated

from pydantic import Field

from duli.params import Section


class Evaluate(Section):
    """What the judgement needs to know besides model and data."""

    confidence_threshold: Annotated[float, Field(ge=0, le=1)]  # an answer less sure than this goes to a person
