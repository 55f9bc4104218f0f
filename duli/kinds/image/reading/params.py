"""The part of the section `data.own` that describes images."""

from typing import Annotated, Literal

from pydantic import Field

from duli.base.params import Section

Tokens = None  # images have none


class Pictures(Section):
    """The common properties of the pictures, to which the release brings others.

    As in `Rules` of duli/serving/kinds/image/pictures.py.
    """

    ground: Literal["dark", "light"] | None = None
    depth: Annotated[int, Field(ge=8, le=16)] = 16


class Own(Section):
    """Their size."""

    shape: tuple[int, int, int]  # channels, height, width
    pictures: Pictures | None = None
