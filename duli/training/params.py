"""The `train` section: how the network learns, on what, and from where it starts."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from duli.params import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Augmentation(Section):
    """Random changes of each training image; a zero switches one off."""

    rotate: Annotated[float, Field(ge=0, le=180)]  # degrees, to either side
    scale: Annotated[float, Field(ge=0, lt=1)]  # relative change of size, up or down
    shear: Annotated[float, Field(ge=0, lt=1)]  # sideways pixels per pixel of height
    shift: Annotated[float, Field(ge=0, le=64)]  # pixels, along each axis
    elastic: Annotated[float, Field(ge=0, le=16)]  # pixels, standard deviation of the displacements
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of the images that are mirrored, left to right
    erase: Annotated[float, Field(ge=0, le=1)] = 0.0  # share of the images in which a rectangle of random size becomes background


class Transfer(Section):
    """Weights to start from, and how carefully they are changed."""

    init_from: Annotated[str, Field(min_length=1)] | None  # FILE.safetensors, a line's folder, models:/NAME/VERSION or models:/NAME@ALIAS
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None  # of those weights, which are part of the recipe
    frozen: Annotated[int, Field(ge=0)]  # layers, from the input on, that keep their weights
    unfreeze: Annotated[float, Field(ge=0, le=1)]  # share of the steps over which these are freed, the last one first; 0: never
    layer_decay: Annotated[float, Field(gt=0, le=1)]  # learning rate of a layer relative to the one above it

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if self.init_from is None and self.sha256 is not None:
            raise ValueError("sha256 pins the weights of init_from, which is null; set both or neither")
        return self


class Checkpoint(Section):
    """How often the state of the training is kept, whichever comes first; null means not by this measure."""

    steps: Count | None
    minutes: Annotated[float, Field(gt=0)] | None


class Pretraining(Section):
    """Masked-language modelling on the training texts, before the labels are looked at."""

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    masked: Share  # share of a text's tokens that are to be guessed
    batch: Annotated[int, Field(ge=1, le=65_536)]  # texts a step
    learning_rate: Annotated[float, Field(gt=0, le=1)]  # the peak of the schedule
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    warm_up: Share  # share of the steps until the peak


class Training(Section):
    """The recipe, the device and the seed."""

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    hardest: Annotated[float, Field(gt=0, le=1)]  # share of the examples, those of highest loss, that epochs after the first go over
    batch: Annotated[int, Field(ge=1, le=65_536)]  # examples a step, over all devices
    micro_batch: Count | None  # at most this many examples at once on a device; the step is computed in parts; null: all at once
    loss: Literal["cross_entropy", "mean_squared_error"]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]  # share of the target spread evenly over all classes
    optimizer: Literal["adam", "adamw", "sgd", "muon"]  # sgd: with Nesterov momentum; muon: for matrices and kernels, adamw for the rest
    learning_rate: Annotated[float, Field(gt=0, le=10)]  # the peak of the schedule
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    schedule: Literal["one_cycle", "cosine", "step", "plateau", "constant"]
    warm_up: Share  # share of the steps until the peak
    clip_norm: Annotated[float, Field(gt=0)] | None  # longer gradients are shortened to this
    ema: Share | None  # decay of the exponential moving average of the weights, which is then what is kept
    evaluations: Annotated[int, Field(ge=1, le=1000)]  # on the validation split, evenly over the run
    early_stopping: Count | None  # evaluations in a row without a lower validation loss after which the run ends
    augmentation: Augmentation
    transfer: Transfer
    pretraining: Pretraining | None  # of an encoder of texts; null: the network starts from nothing, or from `transfer`
    precision: Literal["auto", "float32", "bfloat16", "float16"]  # auto: bfloat16 where the device computes in it, else float32
    device: Literal["auto", "cpu", "cuda", "mps"]
    threads: Annotated[int, Field(ge=1, le=256)]  # of a CPU; part of the recipe, because another number rounds differently
    compile: bool  # torch.compile
    deterministic: bool  # on a GPU: only kernels that repeat themselves to the bit; a CPU always does
    examples: Literal["auto", "resident", "streamed"]  # kept on the device, or copied to it shard by shard; auto: kept where they fit
    parallel: Literal["ddp", "fsdp"]  # with several processes: the network copied to each, or its weights spread over all
    activation_checkpointing: bool  # computes activations again in the backward pass instead of keeping them
    checkpoint: Checkpoint
    seed: Annotated[int, Field(ge=0, lt=2**32)]


# What does not change the result: a training goes on from a checkpoint whatever these say now.
CADENCE = ("checkpoint",)
