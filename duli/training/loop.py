"""The training loop: from tensors of bytes to a network that has learned."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from duli.errors import DataError, GateError
from duli.progress import progress
from duli.training import augment, optim, order
from duli.training.params import Training

EVALUATIONS = 8  # on the validation split, evenly over the run
METRICS_EVERY = 20  # steps between two calls of `on_metrics`
VALIDATION_BATCH = 500  # examples a forward pass


class Examples(NamedTuple):
    """One split: raw bytes and class indices."""

    images: Tensor  # uint8 [n, channels, height, width]
    labels: Tensor  # int64 [n]


class Normalisation(NamedTuple):
    """Mean and standard deviation of the pixels scaled to 0..1."""

    mean: float
    std: float


class Point(NamedTuple):
    """The state of the run at one evaluation."""

    step: int  # steps done
    epoch: int  # from 1
    train_loss: float  # mean since the point before: with augmentation, label smoothing, and whatever examples the order chose
    learning_rate: float
    validation_loss: float  # plain cross-entropy in nats
    validation_correct: int  # right answers on the validation split


Listener = Callable[[int, dict[str, float]], None]  # takes the number of steps done, and metrics by name


def fit(
    model: nn.Module,
    train: Examples,
    validation: Examples,
    settings: Training,
    *,
    classes: int,
    normalisation: Normalisation,
    device: torch.device,
    precision: torch.dtype,
    on_metrics: Listener,
) -> list[Point]:
    """Trains `model` in place, leaves it on `device`, and gives the history; the last point is the trained network.

    On the CPU the same input gives the same weights, to the bit, with the same number of threads. Raises `DataError` where a
    split is empty or has a label outside 0..classes-1, `GateError` where the loss is not finite, before that step changes a weight.
    """
    for name, split in (("train", train), ("validation", validation)):
        _check(name, split, classes)
    # All examples stay on the device as bytes, and only the batch at hand becomes floats: no loader, no copies of the whole.
    train, validation = (Examples(split.images.to(device), split.labels.to(device)) for split in (train, validation))
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(settings.seed)
    steps = order.steps(len(train.labels), settings)
    optimizer, schedule = optim.build(model, settings, steps)
    latest = torch.full((len(train.labels),), math.inf, device=device)  # loss of each example when last seen
    history: list[Point] = []
    since: list[float] = []  # losses of the steps since the last point

    batches = progress(order.batches(latest, settings, generator), "train", total=steps, unit="step")
    for step, (epoch, chosen) in enumerate(batches, start=1):
        rows = chosen.to(device, non_blocking=True)
        images = augment.affine(train.images[rows].float(), settings.augmentation, generator)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = model.train()(_normalised(images, normalisation))
        losses = functional.cross_entropy(logits.float(), train.labels[rows], label_smoothing=settings.label_smoothing, reduction="none")
        loss = losses.mean()
        value = loss.item()
        learning_rate = float(schedule.get_last_lr()[0])
        if not math.isfinite(value):
            raise GateError(
                f"the loss is {value} at step {step} of {steps} (epoch {epoch}, learning rate {learning_rate:.3g}, "
                f"batch of {len(rows)} examples that begins with row {int(chosen[0])} of the train split); "
                "lower train.learning_rate, or set train.precision: float32"
            )
        latest[rows] = losses.detach()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()

        since.append(value)
        if step % METRICS_EVERY == 0:
            on_metrics(step, {"train_loss": _mean(since[-METRICS_EVERY:]), "learning_rate": learning_rate})
        if step == steps or step in _evaluation_steps(steps):
            validation_loss, correct = evaluate(model, validation, normalisation)
            history.append(Point(step, epoch, _mean(since), learning_rate, validation_loss, correct))
            on_metrics(step, {"validation_loss": validation_loss, "validation_accuracy": correct / len(validation.labels)})
            since.clear()
    return history


def evaluate(model: nn.Module, examples: Examples, normalisation: Normalisation) -> tuple[float, int]:
    """Mean cross-entropy (nats) and number of right answers, in float32, which is what the exported network is compared with.

    Raises `GateError` where the cross-entropy is not finite.
    """
    model.eval()
    total, correct = 0.0, 0
    with torch.inference_mode():
        for images, labels in zip(*(torch.split(column, VALIDATION_BATCH) for column in examples), strict=True):
            logits = model(_normalised(images.float(), normalisation))
            total += functional.cross_entropy(logits, labels, reduction="sum").item()
            correct += int((logits.argmax(dim=1) == labels).sum())
    mean = total / len(examples.labels)
    if not math.isfinite(mean):
        raise GateError(f"the validation loss is {mean}: the network is lost; lower train.learning_rate, or set train.precision: float32")
    return mean, correct


def _check(name: str, examples: Examples, classes: int) -> None:
    """Cross-entropy would raise IndexError for some wrong labels, and silently skip examples labelled -100."""
    n = len(examples.labels)
    if n == 0 or n != len(examples.images):
        raise DataError(f"the {name} split has {n} labels for {len(examples.images)} images; run `dvc repro --force prepare`")
    wrong = ((examples.labels < 0) | (examples.labels >= classes)).nonzero().flatten()
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"row {row} of the {name} split has label {int(examples.labels[row])}, the {classes} classes are 0 to {classes - 1} "
            f"({len(wrong)} such rows); correct the data and run `dvc repro`"
        )


def _normalised(images: Tensor, normalisation: Normalisation) -> Tensor:
    """Floats 0..255 -> zero mean, unit deviation; in channels-last, which CPUs and tensor cores convolve fastest."""
    return images.sub(255 * normalisation.mean).div_(255 * normalisation.std).contiguous(memory_format=torch.channels_last)


def _evaluation_steps(steps: int) -> range:
    every = max(1, steps // EVALUATIONS)
    # The last one belongs to the last step; one shortly before it would tell nothing new.
    return range(every, steps - every + 1, every)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / max(1, len(values))
