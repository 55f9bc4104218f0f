"""How much of the bare network's speed the training loop keeps: with augmentation, normalisation,
order, schedule and all.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from benchmarks.recipes import Data, build, load
from benchmarks.record import result
from duli.training import device as devices
from duli.training.loop import METRICS_EVERY, fit

ROUNDS = 3  # epochs


def measure() -> list[dict[str, Any]]:
    """Examples per second of our loop over that of forward, backward and step on one batch of
    random numbers.

    The two take turns every `METRICS_EVERY` steps, so that a machine whose speed wanders is as slow
    for one as for the other.
    """
    data = load()
    rounds = [_round(data) for _ in range(ROUNDS)]
    ours, bare = zip(*rounds, strict=True)
    return [
        result("loop_efficiency", [mine / theirs for mine, theirs in rounds], "share"),
        result("loop_examples_per_s", list(ours), "1/s", of="CPU seconds, one thread"),
        result("bare_examples_per_s", list(bare), "1/s", of="CPU seconds, one thread"),
    ]


def _round(data: Data) -> tuple[float, float]:
    """Examples a CPU second of the loop and of the bare network, over one epoch; the first turn of
    both warms up.
    """
    model, training = build(data, {"train.epochs": 1, "train.evaluations": 1})
    bare = _bare(data)
    ours_s, bare_s = [], []
    mark = time.process_time()

    def turn(step: int, metrics: dict[str, float]) -> None:
        nonlocal mark
        if "train_loss" not in metrics:
            return  # after the evaluation at the end
        ours_s.append(time.process_time() - mark)
        mark = time.process_time()
        for _ in range(METRICS_EVERY):
            bare()
        bare_s.append(time.process_time() - mark)
        mark = time.process_time()

    device = devices.choose(training.device)
    fit(
        model,
        data.train,
        data.validation,
        training,
        **data.fitting(training),
        device=device,
        precision=devices.precision(training.precision, device),
        on_metrics=turn,
    )
    examples = (len(ours_s) - 1) * METRICS_EVERY * training.batch
    return examples / sum(ours_s[1:]), examples / sum(bare_s[1:])


def _bare(data: Data) -> Callable[[], None]:
    """A step of the network alone: fused AdamW, channels-last and autocast as in the loop."""
    model, training = build(data, {})
    device = devices.choose(training.device)
    precision = devices.precision(training.precision, device)
    model.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    size = (training.batch, *(data.shape[name] for name in ("channels", "height", "width")))
    images = torch.randn(size, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, data.task.outputs, (training.batch,), device=device)

    def step() -> None:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = model(images)
        optimizer.zero_grad()
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step
