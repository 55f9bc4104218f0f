"""The `prepare` section: how published examples become splits."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section


class Prepare(Section):
    """How the published examples are split and read."""

    # share of the published training examples, chosen by a hash of the content
    validation_share: Annotated[float, Field(gt=0, lt=0.5)]
    # share of examples without a published split, chosen the same way
    test_share: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    # examples in memory at a time; also a row group of the Parquet files
    batch_rows: Annotated[int, Field(ge=256, le=65_536)] = 4096
    # limit of examples per published split, for quick trials
    limit: Annotated[int, Field(ge=10)] | None = None
    tokens: dict[str, int] | None = None  # of a kind that has some, checked by it
