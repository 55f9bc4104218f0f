"""The section `prepare.tokens`, and the part of `data.own` that describes texts."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section


class Tokens(Section):
    """The tokenizer's settings."""

    # different tokens at most, learned from the train split
    vocabulary: Annotated[int, Field(ge=100, le=200_000)]
    # tokens of an example that are read; the rest is cut off
    length: Annotated[int, Field(ge=8, le=4096)]


class Own(Section):
    """The column of the texts."""

    text: str | None = None  # their column in the file that `duli new` read
