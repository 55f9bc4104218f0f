"""The `train` section: how the network learns, on what, and from where it starts."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from duli.base.params import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Transfer(Section):
    """Weights to start from, and how carefully they are changed."""

    # FILE.safetensors, a line's folder, models:/NAME/VERSION or models:/NAME@ALIAS
    init_from: Annotated[str, Field(min_length=1)] | None = None
    # of those weights, which are part of the recipe; the stage says what to write here
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    frozen: Annotated[int, Field(ge=0)] = 0  # layers, from the input on, that keep their weights
    # share of the steps over which these are freed, the last one first; 0: never
    unfreeze: Annotated[float, Field(ge=0, le=1)] = 0.0
    # learning rate of a layer relative to the one above it
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if self.init_from is None and self.sha256 is not None:
            raise ValueError(
                "sha256 pins the weights of init_from, which is null; set both or neither"
            )
        return self


class Checkpoint(Section):
    """The interval of checkpoints, whichever comes first; null switches a measure off."""

    steps: Count | None = None
    minutes: Annotated[float, Field(gt=0)] | None = 1.0


class Training(Section):
    """The recipe, the device and the seed."""

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    # share of the examples, those of highest loss, that epochs after the first go over
    hardest: Annotated[float, Field(gt=0, le=1)]
    batch: Annotated[int, Field(ge=1, le=65_536)]  # examples a step, over all devices
    # at most this many examples at once on a device; the step is computed in parts; null: all at
    # once
    micro_batch: Count | None = None
    # one of the task's (duli/tasks/NAME/task.py)
    loss: Annotated[str, Field(min_length=1)] = "cross_entropy"
    # share of the target spread evenly over all outputs
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    # sgd: with Nesterov momentum; muon: for matrices and kernels, adamw for the rest
    optimizer: Literal["adam", "adamw", "sgd", "muon"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]  # the peak of the schedule
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    schedule: Literal["one_cycle", "cosine", "step", "plateau", "constant"] = "one_cycle"
    warm_up: Share  # share of the steps until the peak
    clip_norm: Annotated[float, Field(gt=0)] | None = None  # longer gradients are shortened to this
    # decay of the exponential moving average of the weights, which is then what is kept
    ema: Share | None = None
    # on the validation split, evenly over the run
    evaluations: Annotated[int, Field(ge=1, le=1000)]
    # evaluations in a row without a lower validation loss after which the run ends
    early_stopping: Count | None = None
    # random changes of each training example, of those that its kind has: a file of settings
    # beside the kind, duli/kinds/NAME/learning/params.py, says which
    augmentation: dict[str, int | float] = Field(default_factory=dict)
    transfer: Transfer = Transfer()
    # where the kind has it; null: the network starts from nothing, or from `transfer`
    pretraining: dict[str, int | float] | None = None
    # auto: bfloat16 where the device computes in it, else float32
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # auto: CUDA, MPS or CPU, whichever there is
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    # of a CPU; part of the recipe, because another number rounds differently
    threads: Annotated[int, Field(ge=1, le=256)]
    # torch.compile: faster on a GPU, and half a minute slower to start
    compile: bool = False
    # on a GPU: only kernels that repeat themselves to the bit; a CPU always does
    deterministic: bool = True
    # kept on the device, or copied to it shard by shard; auto: kept where they fit
    examples: Literal["auto", "resident", "streamed"] = "auto"
    # with several processes: the network copied to each, or its weights spread over all
    parallel: Literal["ddp", "fsdp"] = "ddp"
    # computes activations again in the backward pass instead of keeping them
    activation_checkpointing: bool = False
    checkpoint: Checkpoint = Checkpoint()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


# What does not change the result: a training goes on from a checkpoint whatever these say now.
CADENCE = ("checkpoint",)
