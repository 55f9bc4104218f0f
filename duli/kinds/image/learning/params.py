"""The section `train.augmentation` for images."""

from typing import Annotated

from pydantic import Field

from duli.base.params import Section


class Augmentation(Section):
    """Random changes of each training image; a zero switches one off."""

    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0  # degrees, to either side
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0  # relative change of size, up or down
    shear: Annotated[float, Field(ge=0, lt=1)] = 0.0  # sideways pixels per pixel of height
    shift: Annotated[float, Field(ge=0, le=64)] = 0.0  # pixels, along each axis
    elastic: Annotated[float, Field(ge=0, le=16)] = (
        0.0  # pixels, standard deviation of the displacements
    )
    # share of the images that are mirrored, left to right
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    # share of the images in which a rectangle of random size becomes background
    erase: Annotated[float, Field(ge=0, le=1)] = 0.0


Pretraining = None  # images have none
