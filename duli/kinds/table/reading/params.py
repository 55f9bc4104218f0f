"""The part of the section `data.own` that describes tables."""

from typing import Self

from pydantic import Field, model_validator

from duli.base.params import Section

Tokens = None  # rows have none


class Own(Section):
    """Their columns."""

    features: tuple[str, ...]  # their names
    # Features that float32 does not hold as they are -> offset and scale: the examples hold (value
    # - offset) / scale.
    centred: dict[str, tuple[float, float]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if unknown := [name for name in self.centred if name not in self.features]:
            raise ValueError(f"centred names {', '.join(unknown)}, which is none of features")
        if any(scale == 0 for _, scale in self.centred.values()):
            raise ValueError("centred has a scale of 0, by which nothing can be divided; write 1")
        return self
