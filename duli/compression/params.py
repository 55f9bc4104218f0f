"""The `quantize` section: how the exported model is calibrated, and what int8 may lose."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from duli.params import Section

Calibration = Literal["minmax", "entropy", "percentile"]


def _once_each(methods: tuple[Calibration, ...]) -> tuple[Calibration, ...]:
    if len(set(methods)) < len(methods):
        raise ValueError("names a method twice")
    return methods


class Quantize(Section):
    """Static int8 quantization and the rule by which a variant is chosen."""

    calibration_rows: Annotated[int, Field(ge=16)]  # drawn from train
    calibration: Annotated[tuple[Calibration, ...], Field(min_length=1), AfterValidator(_once_each)]  # the best on validation is taken
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    max_drop: Annotated[float, Field(ge=0, le=1)]  # accuracy int8 may lose on validation, at the unfavourable end of the interval
    max_class_drop: Annotated[float, Field(ge=0, le=1)]  # the same for the class that loses most
