"""The `quantize` section: how the exported model is calibrated, and what int8 may lose."""

from typing import Annotated

from pydantic import Field

from duli.params import Section


class Quantize(Section):
    """Static int8 quantization and the rule by which a variant is chosen."""

    calibration_rows: Annotated[int, Field(ge=16)]  # drawn from train
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    max_drop: Annotated[float, Field(ge=0, le=1)]  # accuracy int8 may lose on validation, at the unfavourable end of the interval
