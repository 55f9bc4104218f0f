"""The `train` section: recipe, device and initial weights."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from duli.base.params import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Transfer(Section):
    """The initial weights, and how far training may change them."""

    # FILE.safetensors, a line's folder, models:/NAME/VERSION or models:/NAME@ALIAS
    init_from: Annotated[str, Field(min_length=1)] | None = None
    # SHA-256 of those weights, which are part of the recipe; the stage prints the value to write
    # here
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    frozen: Annotated[int, Field(ge=0)] = 0  # number of layers, from the input on, that stay frozen
    # share of the steps over which these are unfrozen, the last one first; 0: never
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
    """The checkpoint interval: whichever limit comes first; null disables a limit."""

    steps: Count | None = None
    minutes: Annotated[float, Field(gt=0)] | None = 1.0


class Training(Section):
    """The recipe, the device and the seed."""

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    # share of the examples, highest loss first, used in epochs after the first
    hardest: Annotated[float, Field(gt=0, le=1)]
    batch: Annotated[int, Field(ge=1, le=65_536)]  # examples per step, over all devices
    # largest number of examples at once on a device (gradient accumulation); null: the whole batch
    micro_batch: Count | None = None
    # one of the task's (duli/tasks/NAME/task.py)
    loss: Annotated[str, Field(min_length=1)] = "cross_entropy"
    # label smoothing: share of the target spread evenly over all outputs
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    # sgd: with Nesterov momentum; muon: for matrices and kernels, AdamW for the rest
    optimizer: Literal["adam", "adamw", "sgd", "muon"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]  # peak of the schedule
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    schedule: Literal["one_cycle", "cosine", "step", "plateau", "constant"] = "one_cycle"
    warm_up: Share  # warm-up: share of the steps until the peak
    clip_norm: Annotated[float, Field(gt=0)] | None = None  # maximum norm of the gradients
    # decay of the exponential moving average of the weights; with it, the average is kept
    ema: Share | None = None
    # evaluations on the validation split, evenly over the run
    evaluations: Annotated[int, Field(ge=1, le=1000)]
    # early stopping: evaluations in a row without a lower validation loss
    early_stopping: Count | None = None
    # random changes of each training example; the settings are those of its kind, see
    # duli/kinds/NAME/learning/params.py
    augmentation: dict[str, int | float] = Field(default_factory=dict)
    transfer: Transfer = Transfer()
    # where the kind supports it; null: random initialisation, or `transfer`
    pretraining: dict[str, int | float] | None = None
    # auto: bfloat16 where the device supports it natively, else float32
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # auto: CUDA, else MPS, else the CPU
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    # CPU threads; part of the recipe, because another number rounds differently
    threads: Annotated[int, Field(ge=1, le=256)]
    # torch.compile: faster on a GPU, but adds half a minute at the start
    compile: bool = False
    # deterministic kernels on a GPU; a CPU is always deterministic
    deterministic: bool = True
    # resident on the device, or streamed to it in shards; auto: resident if they fit
    examples: Literal["auto", "resident", "streamed"] = "auto"
    # with several processes: replicated network (DDP) or sharded weights (FSDP)
    parallel: Literal["ddp", "fsdp"] = "ddp"
    # activation checkpointing: recomputes activations in the backward pass
    activation_checkpointing: bool = False
    checkpoint: Checkpoint = Checkpoint()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


# Settings that do not change the result: a checkpoint stays valid when they change.
CADENCE = ("checkpoint",)
