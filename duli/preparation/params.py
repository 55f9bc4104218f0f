"""The `prepare` section: how published examples become splits."""

from typing import Annotated

from pydantic import Field

from duli.params import Section


class Prepare(Section):
    """How the published examples are carved and read."""

    validation_share: Annotated[float, Field(gt=0, lt=0.5)]  # of the published training examples, chosen by a hash of the content
    batch_rows: Annotated[int, Field(ge=256, le=65_536)]  # examples in memory at a time; a row group of the Parquet files
    limit: Annotated[int, Field(ge=10)] | None  # at most this many examples of each published split, for quick tries
