"""The `benchmark` section: time budget, batch sizes and latency objective of the measurement."""

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from duli.base.params import Section


def _rising_from_one(batches: tuple[int, ...]) -> tuple[int, ...]:
    if batches[0] != 1 or any(second <= first for first, second in pairwise(batches)):
        raise ValueError(
            "has to rise from 1 (the latency is that of one example), each number once"
        )
    return batches


class Benchmark(Section):
    """The budget of the measurement, the latency objective, and the thresholds for noise and
    equality.
    """

    # seconds of timing in total; loading and starting processes come on top
    seconds: Annotated[float, Field(gt=0, le=3600)] = 8.0
    # batch sizes
    batches: Annotated[
        tuple[Annotated[int, Field(ge=1, le=4096)], ...],
        Field(min_length=1),
        AfterValidator(_rising_from_one),
    ] = (1, 8, 64, 256)
    # limit in ms for the 99th percentile of a call at the stated throughput
    slo_ms: Annotated[float, Field(gt=0, le=60_000)]
    # spread between rounds, relative to the median, above which the run is reported as noisy
    max_spread: Annotated[float, Field(gt=0, le=1)] = 0.1
    # relative cost difference that counts as a tie: the smaller file ships
    tie: Annotated[float, Field(ge=0, le=0.5)] = 0.05
