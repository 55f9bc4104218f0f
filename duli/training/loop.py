"""The training loop."""

import contextlib
import copy
import functools
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from duli.base import machine
from duli.base.errors import DataError, GateError, ParamsError
from duli.base.progress import progress
from duli.training import checkpoint, distributed, feed, layers, optim, order, transfer
from duli.training.checkpoint import State
from duli.training.device import free_bytes
from duli.training.distributed import World
from duli.training.ema import Average
from duli.training.feed import Examples
from duli.training.params import Training

METRICS_EVERY = 20  # steps between two calls of `on_metrics`
VALIDATION_BATCH = 500  # examples per forward pass, over all processes


class Point(NamedTuple):
    """The metrics of one evaluation during training."""

    step: int  # steps done so far
    epoch: int  # counted from 1
    # mean since the previous point, with augmentation, label smoothing and the examples that the
    # order selected
    train_loss: float
    learning_rate: float
    validation_loss: float  # mean over the validation split, without label smoothing
    validation_sums: list[float]  # the sums of `Task.sums`


class Result(NamedTuple):
    """The result of a training."""

    history: list[Point]
    # the point of the kept weights: the last, or with early stopping the one with the lowest
    # validation loss
    kept: Point


class Task(Protocol):
    """The interface of a task for training (`duli/tasks/NAME/learning/learn.py`)."""

    def check(self, split: str, targets: Tensor) -> None:
        """Raises `DataError` for targets that cannot be learned from."""

    def loss(self, outputs: Tensor, targets: Tensor, settings: Training) -> Tensor:
        """Per-example losses [n]."""

    def taught(
        self, outputs: Tensor, teacher: Tensor, targets: Tensor, settings: Training
    ) -> Tensor:
        """Per-example losses [n], given the outputs of a teacher."""

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Sums over validation examples [k]; the first is the loss."""

    def scores(self, sums: Sequence[float], n: int) -> dict[str, float]:
        """Metrics by name, computed from these sums over `n` examples."""


# stored examples, augmented or not -> the network's input
Preprocessing = Callable[[Tensor], Tensor]
# examples of a batch, a generator on the CPU, and which part of a step's how many examples they are
Augment = Callable[[Tensor, torch.Generator, slice, int], Tensor]
# takes the number of steps done and metrics by name
Listener = Callable[[int, dict[str, float]], None]


def fit(
    model: nn.Module,
    train: Examples,
    validation: Examples,
    settings: Training,
    *,
    task: Task,
    preprocessing: Preprocessing,
    device: torch.device,
    precision: torch.dtype,
    on_metrics: Listener,
    augment: Augment | None = None,
    lengths: Tensor | None = None,
    world: World = World(),  # noqa: B008 -- a tuple
    on_checkpoint: Callable[[bytes], None] | None = None,
    resume: State | None = None,
    teacher: nn.Module | None = None,
    name: str = "train",
) -> Result:
    """Trains `model` in place and leaves it on `device`.

    On the CPU, the same input and number of threads give bit-identical weights, also after a
    resume: `on_checkpoint` receives the state as bytes (on rank 0 only), and `resume` takes it back
    as `checkpoint.unpack` returns it. All processes of `world` have to call this with the same
    arguments. `teacher` is a trained network on the CPU for distillation; it is not changed.
    `augment` changes the examples of a batch at random. `lengths` [n] groups examples of similar
    length into batches. `name` is the params section that holds `learning_rate`, for messages and
    progress.

    Raises `DataError` if a split is empty or the task rejects its targets, `ParamsError` for
    settings that do not fit the network, and `GateError` if the loss is not finite, before that
    step changes a weight.
    """
    for title, split in (("train", train), ("validation", validation)):
        _check(title, split)
        task.check(title, split.targets)
    forked = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=forked):
        torch.manual_seed(settings.seed + world.rank)  # seeds dropout
        training = _Training(
            model,
            train,
            validation,
            settings,
            task,
            preprocessing,
            augment,
            lengths,
            device,
            precision,
            world,
            teacher,
            name,
        )
        if resume is not None:
            training.resume(resume)
        try:
            return training.run(on_metrics, on_checkpoint)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(
                error
            ):
                raise
            raise GateError(_too_large(training)) from None


def evaluate(
    model: nn.Module,
    examples: Examples,
    task: Task,
    preprocessing: Preprocessing,
    world: World = World(),  # noqa: B008
    name: str = "train",
) -> list[float]:
    """The task's sums over a split, computed in float32 as in the exported network.

    Raises `GateError` if the loss is not finite.
    """
    model.eval()
    device = next(model.parameters()).device
    sums: list[Tensor] = []
    with torch.no_grad():
        for inputs, targets in zip(
            *(torch.split(column, VALIDATION_BATCH) for column in examples), strict=True
        ):
            mine = world.slice(len(targets))
            outputs = model(preprocessing(inputs[mine].to(device)))
            sums.append(task.sums(outputs, targets[mine].to(device)).double().cpu())
    whole = functools.reduce(torch.add, sums)
    # NCCL sums GPU tensors only; other devices may lack float64.
    found: list[float] = world.sum(whole.to(device) if device.type == "cuda" else whole).tolist()
    mean = found[0] / len(examples.targets)
    if not math.isfinite(mean):
        raise GateError(
            f"the validation loss is {mean}: the network is lost; lower {name}.learning_rate, or"
            " set train.precision: float32"
        )
    return found


class _Training:
    """One training run: its state and its steps."""

    def __init__(
        self,
        model: nn.Module,
        train: Examples,
        validation: Examples,
        settings: Training,
        task: Task,
        preprocessing: Preprocessing,
        augment: Augment | None,
        lengths: Tensor | None,
        device: torch.device,
        precision: torch.dtype,
        world: World,
        teacher: nn.Module | None,
        name: str,
    ) -> None:
        self.settings, self.task, self.world = settings, task, world
        self.preprocessing, self.augment, self.lengths = preprocessing, augment, lengths
        self.device, self.precision = device, precision
        self.batch = min(settings.batch, len(train.targets))
        _fits(model, settings, self.batch, precision, world)
        # Examples stay bytes until their batch is used: no data loader, no float copy of the
        # dataset.
        size = train.inputs.nbytes + validation.inputs.nbytes
        self.kept = feed.resident(settings.examples, size, free_bytes(device))
        self.train, self.validation = (
            split.to(device) if self.kept else split for split in (train, validation)
        )
        # Channels-last is the fastest format for convolutions on CPUs and tensor cores; FSDP2
        # shards weights in contiguous format only.
        sharded = world.size > 1 and settings.parallel == "fsdp"
        layout = torch.contiguous_format if sharded else torch.channels_last
        model.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        distributed.shard(model, settings, world, device)
        self.model, self.name = model, name
        self.teacher: nn.Module | None = None
        # a copy: the caller's teacher keeps its device, memory format and mode
        if teacher is not None:
            self.teacher = copy.deepcopy(teacher).eval().to(device)
            self.teacher.to(memory_format=torch.channels_last)
        self.steps = order.steps(len(train.targets), settings)
        self.optimizers = optim.build(model, settings)
        self.schedule = optim.Schedule(self.optimizers, settings, self.steps)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
        self.average = Average(model, settings.ema) if settings.ema is not None else None
        self.generator = torch.Generator().manual_seed(settings.seed)
        # latest known loss of each example
        self.latest = torch.full((len(train.targets),), math.inf, device=device)
        self.step, self.epoch, self.batches_done = 0, 1, 0
        self.rows: Tensor | None = None  # in this epoch
        self.history: list[Point] = []
        self.since: list[float] = []  # losses of the steps since the previous point
        self.latest_losses: deque[float] = deque(maxlen=METRICS_EVERY)  # for display only
        # weights at the lowest validation loss, for early stopping
        self.best: dict[str, Tensor] = {}
        self.frozen = -1
        self.replica: Callable[[Tensor], Tensor] = model

    def run(self, on_metrics: Listener, on_checkpoint: Callable[[bytes], None] | None) -> Result:
        every = self.settings.checkpoint
        kept_at = time.monotonic()
        for batch in self._watched(self._batches()):
            rate = self.schedule.set(self.step)
            self._thaw()
            due = every.minutes is not None and time.monotonic() - kept_at >= every.minutes * 60
            loss, due = self._learn(batch, rate, due)
            self.step, self.batches_done = self.step + 1, self.batches_done + 1
            self.since.append(loss)
            self.latest_losses.append(loss)
            if self.step % METRICS_EVERY == 0:
                on_metrics(
                    self.step, {"train_loss": _mean(self.latest_losses), "learning_rate": rate}
                )
            if self.step == self.steps or self.step in _evaluation_steps(
                self.steps, self.settings.evaluations
            ):
                self._evaluate(rate)
                on_metrics(self.step, self._validated())
                if self._stalled():
                    break
            if (
                on_checkpoint is not None
                and self.step < self.steps
                and (due or (every.steps and self.step % every.steps == 0))
            ):
                state = self._state()
                if self.world.writes:
                    on_checkpoint(checkpoint.pack(state))
                kept_at = time.monotonic()
        return self._kept()

    def resume(self, state: State) -> None:
        """Restores the state that `_state` captured."""
        values, tensors = state
        self.step, self.epoch, self.batches_done = (
            values["step"],
            values["epoch"],
            values["batches_done"],
        )
        self.history = [Point(*point) for point in values["history"]]
        self.since = values["since"]
        self.schedule.reduction, self.schedule.best, self.schedule.waited = values["schedule"]
        self.scaler.load_state_dict(values["scaler"])
        self.rows = tensors["rows"]
        self.latest.copy_(tensors["latest"])
        self.generator.set_state(tensors["generator"])
        checkpoint.restore_weights(self.model, checkpoint.below("model", tensors))
        checkpoint.restore_optimizer(
            self.model, self.optimizers, checkpoint.below("optimizer", tensors)
        )
        self.best = checkpoint.below("best", tensors)
        if self.average is not None:
            averages = checkpoint.below("average", tensors)
            self.average.tensors = {
                name: distributed.like(averages[name], value)
                for name, value in self.average.tensors.items()
            }
        # The number of processes changed: dropout on a new one starts from its seed.
        if f"rng:{self.world.rank}" in tensors:
            torch.random.set_rng_state(tensors[f"rng:{self.world.rank}"])
        if self.device.type == "cuda" and f"cuda:{self.world.rank}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda:{self.world.rank}"], self.device)

    def _state(self) -> State:
        """The full state on the CPU; all processes have to call this. Raises `GateError` if a
        weight is not finite.
        """
        weights = checkpoint.weights(self.model)
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise GateError(
                f"a weight is not finite after step {self.step}; the checkpoint before it is kept:"
                f" lower {self.name}.learning_rate"
            )
        assert self.rows is not None
        tensors = {
            "rows": self.rows,
            "latest": self.latest,
            "generator": self.generator.get_state(),
            **checkpoint.prefixed("model", weights),
            **checkpoint.prefixed(
                "optimizer", checkpoint.optimizer_state(self.model, self.optimizers)
            ),
            **checkpoint.prefixed("best", self.best),
        }
        if self.average is not None:
            tensors |= {
                f"average:{name}": distributed.whole(value)
                for name, value in self.average.tensors.items()
            }
        tensors |= {
            f"rng:{rank}": state
            for rank, state in enumerate(self.world.gather(torch.random.get_rng_state()))
        }
        if self.device.type == "cuda":
            tensors |= {
                f"cuda:{rank}": state
                for rank, state in enumerate(
                    self.world.gather(torch.cuda.get_rng_state(self.device))
                )
            }
        values = {
            "step": self.step,
            "epoch": self.epoch,
            "batches_done": self.batches_done,
            "history": self.history,
            "since": self.since,
            "schedule": [self.schedule.reduction, self.schedule.best, self.schedule.waited],
            "scaler": self.scaler.state_dict(),
        }
        return State(values, tensors)

    def _batches(self) -> Iterator[Examples]:
        """Yields this process's part of each remaining batch."""
        while self.epoch <= self.settings.epochs:
            if self.rows is None:
                self.rows = order.rows(self.latest, self.epoch, self.settings, self.generator)
                if self.lengths is not None:
                    self.rows = order.alike(self.rows, self.lengths, self.generator)
            left = self.rows[self.batches_done :]
            yield from feed.batches(
                self.train, left, self.world.slice(self.batch), self.device, kept=self.kept
            )
            self.epoch, self.batches_done, self.rows = self.epoch + 1, 0, None

    def _learn(self, examples: Examples, rate: float, due: bool) -> tuple[float, bool]:
        """Runs one step: forward, loss, backward, optimizer. Returns the mean loss and rank 0's
        `due`.
        """
        mine, count = self.world.slice(self.batch), self.batch
        raw = examples.inputs
        if self.augment is not None:
            raw = self.augment(raw, self.generator, mine, count)
        parts = -(-self.world.largest_share(count) // (self.settings.micro_batch or count))
        # per-example losses of the step from all processes, then a signal
        each = torch.zeros(count + 1, device=self.device)
        each[-1] = float(due and self.world.rank == 0)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        at = mine.start
        for part, (some, targets) in enumerate(
            zip(raw.tensor_split(parts), examples.targets.tensor_split(parts), strict=True), start=1
        ):
            # DDP reads it during the forward pass
            distributed.synchronise_gradients(self.replica, last=part == parts)
            with torch.autocast(
                self.device.type, self.precision, enabled=self.precision != torch.float32
            ):
                inputs = self.preprocessing(some)
                outputs, teacher = self.replica(inputs), self._taught(inputs)
            loss = (
                self.task.loss(outputs, targets, self.settings)
                if teacher is None
                else self.task.taught(outputs, teacher, targets, self.settings)
            )
            each[at : at + len(targets)] = loss.detach()
            at += len(targets)
            # DDP averages gradients over processes, and the loss is a mean over all examples: hence
            # the factor.
            self.scaler.scale(loss.sum() * (self.world.size / count)).backward()  # type: ignore[no-untyped-call]
        self.world.sum(each)
        mean = each[:-1].mean().item()
        assert self.rows is not None
        rows = self.rows[self.batches_done]
        if not math.isfinite(mean):
            raise GateError(
                f"the loss is {mean} at step {self.step + 1} of {self.steps} (epoch {self.epoch},"
                f" learning rate {rate:.3g}, batch of {count} examples that begins with row"
                f" {int(rows[0])} of the train split); lower {self.name}.learning_rate, or set"
                " train.precision: float32"
            )
        self.latest[rows.to(self.device)] = each[:-1]
        self._apply()
        return mean, bool(each[-1])

    def _taught(self, inputs: Tensor) -> Tensor | None:
        """The teacher's outputs, or None without a teacher."""
        if self.teacher is None:
            return None
        with torch.no_grad():
            answers: Tensor = self.teacher(inputs)
        return answers

    def _apply(self) -> None:
        if self.settings.clip_norm is not None:
            for optimizer in self.optimizers:
                self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.step + 1)

    def _evaluate(self, rate: float) -> None:
        with self.average.in_place() if self.average else contextlib.nullcontext():
            sums = evaluate(
                self.model, self.validation, self.task, self.preprocessing, self.world, self.name
            )
        loss = sums[0] / len(self.validation.targets)
        self.history.append(Point(self.step, self.epoch, _mean(self.since), rate, loss, sums))
        self.since = []
        self.schedule.seen(loss)
        if self.settings.early_stopping is not None and self.history[-1] == _lowest(self.history):
            if self.average is None:
                self.best = checkpoint.weights(self.model)
            else:
                with self.average.in_place():
                    self.best = checkpoint.weights(self.model)

    def _validated(self) -> dict[str, float]:
        """The metrics of the latest evaluation."""
        point, n = self.history[-1], len(self.validation.targets)
        scores = self.task.scores(point.validation_sums, n)
        return {"validation_loss": point.validation_loss, **scores}

    def _stalled(self) -> bool:
        """Whether early stopping has run out of patience."""
        patience = self.settings.early_stopping
        return (
            patience is not None
            and len(self.history) - 1 - self.history.index(_lowest(self.history)) >= patience
        )

    def _kept(self) -> Result:
        """Loads the weights to keep into the model."""
        if self.settings.early_stopping is not None:
            checkpoint.restore_weights(self.model, self.best)
            return Result(self.history, _lowest(self.history))
        if self.average is not None:
            self.average.keep()
        return Result(self.history, self.history[-1])

    def _thaw(self) -> None:
        """Sets which layers are trainable and switches to training mode."""
        frozen = transfer.frozen(self.step, self.steps, self.settings.transfer)
        if frozen == self.frozen and self.model.training:
            return
        self.model.train()
        layers.freeze(self.model, frozen)
        if frozen == self.frozen:
            return  # an evaluation changed the mode
        self.frozen = frozen
        # drops the previous replica, whose hooks would stay on the weights
        self.replica = self.model
        replica = distributed.replicate(self.model, self.settings, self.world, self.device)
        self.replica = torch.compile(replica) if self.settings.compile else replica

    def _watched(self, batches: Iterator[Examples]) -> Iterator[Examples]:
        if not self.world.writes:
            return batches
        return progress(
            batches,
            self.name,
            total=self.steps,
            unit="examples",
            size=self.batch,
            done=self.step,
            facts=self._facts,
        )

    def _facts(self) -> str:
        """The current metrics for the progress bar."""
        facts = [f"loss {_mean(self.latest_losses):.4f}"] if self.latest_losses else []
        if self.history:
            facts += [f"{name} {value:.4f}" for name, value in self._validated().items()]
        return ", ".join(facts)


def _too_large(training: "_Training") -> str:
    """Advice for a step that ran out of memory."""
    from duli.training.plan import RESERVE, plan

    device, settings, world = training.device, training.settings, training.world
    # frees their state before the free memory is measured
    training.optimizers.clear()
    here = min(settings.micro_batch or training.batch, world.largest_share(training.batch))
    cost = plan(
        training.model,
        training.preprocessing(training.train.inputs[:1]),
        batch=here,
        precision=training.precision,
        optimizer_tensors=optim.STATE_TENSORS[settings.optimizer],
    )
    free = free_bytes(device) or machine.available_bytes()
    # Saved activations have to fit, and half as much again for the layers' temporaries.
    fitting = int((free * (1 - RESERVE) / 1.5 - cost.kept_fixed) / max(1, cost.kept_per_example))
    advice = (
        f"about {min(fitting, here // 2)} would fit: set train.micro_batch to that"
        if min(fitting, here // 2)
        else "not one would fit"
    )
    return (
        f"out of memory at step {training.step + 1} of {training.steps} with {here} examples at"
        f" once on {device.type} ({free / 1e9:.1f} GB free, {cost.kept_per_example / 1e6:.1f} MB an"
        f" example in {training.precision}); {advice}, or let `duli plan` say what a smaller"
        " network needs; the last checkpoint is kept"
    )


def _fits(
    model: nn.Module, settings: Training, batch: int, precision: torch.dtype, world: World
) -> None:
    """Raises an error for settings that cannot be combined, before any work is done."""
    stack = len(layers.layers(model))
    if settings.transfer.frozen >= stack:
        raise ParamsError(
            f"train.transfer.frozen = {settings.transfer.frozen}, but the network has {stack}"
            " layers, and one has to learn"
        )
    if world.size > batch:
        raise ParamsError(
            f"{world.size} processes for a batch of {batch} examples; raise train.batch, or start"
            " fewer"
        )
    if world.size > 1 and settings.parallel == "fsdp" and precision == torch.float16:
        raise ParamsError(
            "train.precision = 'float16' scales gradients, which parallel: fsdp does not take; set"
            " precision: bfloat16"
        )


def _check(name: str, examples: Examples) -> None:
    n = len(examples.targets)
    if n == 0 or n != len(examples.inputs):
        raise DataError(
            f"the {name} split has {n} targets for {len(examples.inputs)} examples; run `dvc repro"
            " -s -f prepare`"
        )


def _evaluation_steps(steps: int, evaluations: int) -> range:
    every = max(1, steps // evaluations)
    # The last one belongs to the last step; another shortly before it would add nothing.
    return range(every, steps - every + 1, every)


def _lowest(history: list[Point]) -> Point:
    return min(history, key=lambda point: point.validation_loss)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / max(1, len(values))
