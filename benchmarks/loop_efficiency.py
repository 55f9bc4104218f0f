"""How much of the bare network's speed the training loop keeps: with augmentation, normalisation, order, schedule and all."""

import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.recipes import build, load, run
from benchmarks.record import result
from duli.training import device as devices

ROUNDS = 3
STEPS = 300  # of the bare network, after some to warm up


def measure() -> list[dict[str, Any]]:
    """Examples per second of our loop over that of forward, backward and step on one batch of random numbers, turn by turn."""
    data = load()
    settings = {"train.epochs": 1, "train.evaluations": 1}
    ours, bare = [], []
    for _ in range(ROUNDS):
        one = run(data, settings)
        steps = one.history[-1].step
        batch = build(data, settings)[1].batch
        ours.append(steps * batch / one.cpu_s)
        bare.append(_bare(data.shape, *build(data, settings)))
    return [
        result("loop_efficiency", [mine / theirs for mine, theirs in zip(ours, bare, strict=True)], "share"),
        result("loop_examples_per_s", ours, "1/s", of="CPU seconds, one thread, the evaluation at the end included"),
        result("bare_examples_per_s", bare, "1/s"),
    ]


def _bare(shape: dict[str, int], model: nn.Module, training: Any) -> float:
    """Examples a CPU second of the network alone: fused AdamW, channels-last and autocast as in the loop."""
    device = devices.choose(training.device)
    precision = devices.precision(training.precision, device)
    model.to(device=device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    size = (training.batch, shape["channels"], shape["height"], shape["width"])
    images = torch.randn(size, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (training.batch,), device=device)

    def step() -> None:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = model(images)
        optimizer.zero_grad()
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    for _ in range(20):
        step()
    start = time.process_time()
    for _ in range(STEPS):
        step()
    return STEPS * training.batch / (time.process_time() - start)
