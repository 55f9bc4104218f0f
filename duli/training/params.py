"""The `train` section: how the network learns, and on what."""

from typing import Annotated, Literal

from pydantic import Field

from duli.params import Section


class Augmentation(Section):
    """Random changes of each training image; a zero switches one off."""

    rotate: Annotated[float, Field(ge=0, le=180)]  # degrees, to either side
    scale: Annotated[float, Field(ge=0, lt=1)]  # relative change of size, up or down
    shear: Annotated[float, Field(ge=0, lt=1)]  # sideways pixels per pixel of height
    shift: Annotated[float, Field(ge=0, le=64)]  # pixels, along each axis


class Training(Section):
    """The recipe, the device and the seed."""

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    hardest: Annotated[float, Field(gt=0, le=1)]  # share of the examples, those of highest loss, that epochs after the first go over
    batch: Annotated[int, Field(ge=1, le=65_536)]  # examples a step
    learning_rate: Annotated[float, Field(gt=0, le=10)]  # the peak of the one-cycle schedule
    warm_up: Annotated[float, Field(gt=0, lt=1)]  # share of the steps until the peak
    weight_decay: Annotated[float, Field(ge=0, le=1)]  # of AdamW
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]  # share of the target spread evenly over all classes
    augmentation: Augmentation
    precision: Literal["auto", "float32", "bfloat16"]  # of the forward and backward pass; auto: bfloat16 where the device computes in it
    device: Literal["auto", "cpu", "cuda", "mps"]
    threads: Annotated[int, Field(ge=1, le=256)]  # of a CPU; belongs to the recipe, because another number of them rounds differently
    seed: Annotated[int, Field(ge=0, lt=2**32)]
