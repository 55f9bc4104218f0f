"""What params say of images: part of the section `data.own`."""

from typing import Annotated, Literal

from pydantic import Field

from duli.base.params import Section

Tokens = None  # images have none


class Pictures(Section):
    """What the images have in common, and the release makes others have.

    As in `Rules` of duli/serving/pictures.py.
    """

    ground: Literal["dark", "light"] | None = None
    depth: Annotated[int, Field(ge=8, le=16)] = 16


class Own(Section):
    """Their size."""

    shape: tuple[int, int, int]  # channels, height, width
    pictures: Pictures | None = None
