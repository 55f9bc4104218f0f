"""What params say of texts: the section `prepare.tokens`, and part of `data.own`."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section


class Tokens(Section):
    """How texts become tokens."""

    # different tokens at most, learned from the train split
    vocabulary: Annotated[int, Field(ge=100, le=200_000)]
    # tokens of an example that are read; the rest is cut off
    length: Annotated[int, Field(ge=8, le=4096)]


class Own(Section):
    """Where they were."""

    text: str | None = None  # their column in the file that `duli new` read
