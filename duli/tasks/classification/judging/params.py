"""The `evaluate` section: how the trained model is judged on the test split."""

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from duli.base.params import Section


class Slices(Section):
    """The parts of the test split that are judged by themselves."""

    min_examples: Annotated[int, Field(ge=1)] = 100  # a smaller one is named, not judged
    # parts of equal size that a number, such as brightness, is cut into
    quantiles: Annotated[int, Field(ge=2, le=20)] = 4


def _rising(levels: tuple[int, ...]) -> tuple[int, ...]:
    if any(second <= first for first, second in pairwise(levels)):
        raise ValueError("has to rise, each number once")
    return levels


Examples = Annotated[int, Field(ge=1)] | None  # of the test split, evenly over its order; None: all


class Corruptions(Section):
    """The fifteen ways in which images are spoilt, as in MNIST-C."""

    examples: Examples = None


class Attack(Section):
    """Projected gradient descent: pixels move to where the trained network is most wrong."""

    # grey levels of 255 that a pixel moves by at most
    epsilons: Annotated[
        tuple[Annotated[int, Field(ge=1, le=255)], ...],
        Field(min_length=1),
        AfterValidator(_rising),
    ] = (8, 16, 25)
    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    examples: Examples = 1000


class Robustness(Section):
    """The corruptions and attacks on the images of the test split."""

    seed: Annotated[int, Field(ge=0)] = 0
    corruptions: Corruptions = Corruptions()
    pgd: Attack = Attack()


class Evaluate(Section):
    """The settings of the evaluation."""

    # an answer less sure than this goes to a person
    confidence_threshold: Annotated[float, Field(ge=0, le=1)]
    # the label counts as found among this many most probable classes
    top_k: Annotated[int, Field(ge=1)] = 2
    slices: Slices = Slices()
    robustness: Robustness = Robustness()  # of images; left out, and said so, for anything else
