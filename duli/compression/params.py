"""The section `quantize`: the variants, their settings, and the bounds on their loss."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from duli.base.params import Section

Calibration = Literal["minmax", "entropy", "percentile"]
Share = Annotated[float, Field(gt=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
Rate = Annotated[float, Field(gt=0, le=10)]

# the network as trained; its variants are named by their format alone
TRAINED = "trained"
# aware last: it is made only if int8 is
NETWORKS = (TRAINED, "sparse", "narrow", "distilled", "aware")
# int8 has weights of 7 bits. int8_full has all 8 for comparison: it ships only if its sums cannot
# overflow.
FORMATS = ("fp32", "fp16", "int8", "int8_full", "int8_dynamic")
# fp32 is always made; quantization-aware training applies to static int8 only.
VARIANTS = tuple(
    form if network == TRAINED else f"{network}_{form}"
    for network in NETWORKS
    for form in FORMATS
    if (network, form) != (TRAINED, "fp32") and (network != "aware" or form == "int8")
)


def parts(variant: str) -> tuple[str, str]:
    """The network and the format in a variant's name."""
    network, _, form = variant.partition("_")
    return (network, form) if network in NETWORKS else (TRAINED, variant)


def _once_each(names: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"names {twice} twice")
    return names


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in VARIANTS:
            made = (
                "fp32 is always made, take it out"
                if name == "fp32"
                else f"known: {', '.join(VARIANTS)}"
            )
            raise ValueError(f"names '{name}', which is no variant ({made})")
    if "aware_int8" in names and "int8" not in names:
        raise ValueError(
            "names aware_int8, which is made where int8 loses too much, but not int8; add it"
        )
    return names


class Sparse(Section):
    """Magnitude pruning: the weights nearest to zero become zero."""

    share: Share = 0.6  # share of all weights of convolutions and linear layers
    epochs: Epochs = 1  # epochs of the fine-tune
    learning_rate: Rate = 0.005  # peak learning rate of the fine-tune


class Narrow(Section):
    """Structured pruning: the least important channels are removed, and the tensors shrink."""

    share: Share = 0.25  # share of the channels of each layer but the last
    epochs: Epochs = 1  # epochs of the fine-tune
    learning_rate: Rate = 0.005  # peak learning rate of the fine-tune


class Aware(Section):
    """Quantization-aware fine-tuning: the network adapts to its int8 rounding."""

    epochs: Epochs = 1
    learning_rate: Rate = 0.001  # peak learning rate


class Distilled(Section):
    """Distillation: a network trained from random weights by the recipe of `train`, with the
    trained network as its teacher.
    """

    epochs: Epochs
    model: dict[str, Any]  # like the section `model`, and checked as that


class Quantize(Section):
    """The variants, their settings, and the bounds within which one may ship."""

    # FORMAT or NETWORK_FORMAT, in addition to fp32
    variants: Annotated[tuple[str, ...], AfterValidator(_once_each), AfterValidator(_known)]
    calibration_rows: Annotated[int, Field(ge=16)] = 1024  # number of rows drawn from train
    # methods for the activations' ranges; the one that keeps most answers on validation wins
    calibration: Annotated[
        tuple[Calibration, ...], Field(min_length=1), AfterValidator(_once_each)
    ] = ("minmax", "entropy", "percentile")
    sparse: Sparse = Sparse()
    narrow: Narrow = Narrow()
    aware: Aware = Aware()
    distilled: Distilled
    # of the calibration rows and of all fine-tunes
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    # accuracy that a variant may lose on validation, at the unfavourable end of the interval
    max_drop: Annotated[float, Field(ge=0, le=1)]
    max_class_drop: Annotated[float, Field(ge=0, le=1)]  # the same for the class that loses most
