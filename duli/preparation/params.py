"""The `prepare` section: how published examples become splits."""

from typing import Annotated

from pydantic import Field

from duli.params import Section


class Tokens(Section):
    """How texts become tokens."""

    vocabulary: Annotated[int, Field(ge=100, le=200_000)]  # different tokens at most, learned from the train split
    length: Annotated[int, Field(ge=8, le=4096)]  # tokens of an example that are read; the rest is cut off


class Prepare(Section):
    """How the published examples are carved and read."""

    validation_share: Annotated[float, Field(gt=0, lt=0.5)]  # of the published training examples, chosen by a hash of the content
    test_share: Annotated[float, Field(gt=0, lt=0.5)] | None  # of examples published in no split, chosen the same way
    batch_rows: Annotated[int, Field(ge=256, le=65_536)]  # examples in memory at a time; a row group of the Parquet files
    limit: Annotated[int, Field(ge=10)] | None  # at most this many examples of each published split, for quick tries
    tokens: Tokens | None  # of texts
