"""The part of the section `data.own` that describes classes."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section


class Own(Section):
    """Their names."""

    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=32_767)]
