"""A task a small network learns in a second: is the bar upright, lying, or neither?"""

import copy
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

MEAN, STD = 0.2, 0.3

Labels = NDArray[np.int64]


def bars(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], Labels]:
    """Noisy images [n, 1, 12, 12] of an upright bar (0), a lying one (1) or none (2)."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (n, 1, 12, 12)).astype(np.uint8)
    labels = generator.integers(0, 3, n)
    place, begin = generator.integers(1, 11, n), generator.integers(0, 5, n)
    along = np.arange(12)
    part = (along >= begin[:, None]) & (along < begin[:, None] + 8)
    bar = part[:, None, :] & (along == place[:, None])[:, :, None]
    images[:, 0][bar & (labels == 1)[:, None, None]] = 180
    images[:, 0][bar.transpose(0, 2, 1) & (labels == 0)[:, None, None]] = 180
    return images, labels


@cache
def _trained() -> nn.Sequential:
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 8, 5, padding=2)
    model = nn.Sequential(
        convolution,
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(288, 3),
    )
    images, labels = bars(1500)
    inputs, targets = (
        (torch.from_numpy(images).float() / 255 - MEAN) / STD,
        torch.from_numpy(labels),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for epoch in range(6):
        for batch in torch.randperm(
            len(inputs), generator=torch.Generator().manual_seed(epoch)
        ).split(50):
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
            optimizer.step()
    optimizer.zero_grad()
    return model.eval()


def trained() -> nn.Sequential:
    """A network of its own for each caller, which has learnt `bars`, in evaluation mode."""
    return copy.deepcopy(_trained())
