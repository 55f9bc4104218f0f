"""The `benchmark` section: how long and at which batch the shipped model is measured."""

from typing import Annotated

from pydantic import Field

from duli.params import Section


class Benchmark(Section):
    """The budget of the measurement."""

    seconds: Annotated[float, Field(gt=0, le=600)]  # for all measurements together
    batch: Annotated[int, Field(ge=2, le=4096)]  # of the throughput measurement; latency is at batch 1
