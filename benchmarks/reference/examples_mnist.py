"""PyTorch's own MNIST example, written anew from its published settings: what Duli's training is
compared with.

Source: github.com/pytorch/examples, folder mnist. Settings: convolutions of 32 and 64 3x3 filters,
each with ReLU, max-pool 2, dropout 0.25, linear 128, ReLU, dropout 0.5, linear 10, log-softmax;
negative log-likelihood; Adadelta, learning rate 1.0, multiplied by 0.7 after each of 14 epochs;
batch 64, test batch 1000; seed 1; float32; ToTensor and Normalize(0.1307, 0.3081) on each image by
torchvision; a DataLoader without workers. On a CPU the example goes over the training images in
their published order (it shuffles on accelerators alone), and so does this program; --shuffle
shuffles.

    python benchmarks/reference/examples_mnist.py --data FOLDER [--epochs 14] [--seed 1] [--threads
    1] [--stop-at 0.99] [--shuffle]

FOLDER is laid out as torchvision does it, FOLDER/MNIST/raw/*-ubyte. Of the files that `dvc repro
fetch` left in data/raw:

    mkdir -p FOLDER/MNIST/raw && ln -s "$PWD"/data/raw/*-ubyte FOLDER/MNIST/raw/

Prints one JSON line an epoch: epoch, cpu_seconds, wall_seconds, test_accuracy. Seconds count from
the end of the imports to the end of the epoch's test pass, all test passes before it included; CPU
seconds are those of all threads and of child processes.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
Batches = Iterable[tuple[Tensor, Tensor]]


def main() -> None:
    options = arguments()
    cpu_start, wall_start = cpu_seconds(), time.perf_counter()
    torch.manual_seed(options.seed)

    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )
    train: Batches = DataLoader(
        datasets.MNIST(options.data, train=True, transform=transform),
        batch_size=64,
        shuffle=options.shuffle,
    )
    test: Batches = DataLoader(
        datasets.MNIST(options.data, train=False, transform=transform), batch_size=1000
    )
    model = network()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)

    for epoch in range(1, options.epochs + 1):
        train_epoch(model, train, optimizer, options.limit)
        schedule.step()
        reached = accuracy(model, test)
        cpu, wall = cpu_seconds() - cpu_start, time.perf_counter() - wall_start
        line = {
            "epoch": epoch,
            "cpu_seconds": round(cpu, 3),
            "wall_seconds": round(wall, 3),
            "test_accuracy": reached,
        }
        print(json.dumps(line), flush=True)
        if options.stop_at is not None and reached >= options.stop_at:
            break


def network() -> nn.Module:
    """Images [n, 1, 28, 28] -> log-probabilities [n, 10]."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
        nn.LogSoftmax(dim=1),
    )


def train_epoch(
    model: nn.Module, batches: Batches, optimizer: torch.optim.Optimizer, limit: int | None
) -> None:
    """One pass over the training images, or its first `limit` steps."""
    model.train()
    for step, (images, labels) in enumerate(batches):
        if step == limit:
            break
        optimizer.zero_grad()
        loss = nn.functional.nll_loss(model(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@torch.no_grad()
def accuracy(model: nn.Module, batches: Batches) -> float:
    """Share of right answers."""
    model.eval()
    right, seen = 0, 0
    for images, labels in batches:
        right += int((model(images).argmax(dim=1) == labels).sum())
        seen += len(labels)
    return right / seen


def cpu_seconds() -> float:
    """CPU seconds of this process, all its threads, and the child processes that ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--data",
        required=True,
        metavar="FOLDER",
        help="holds MNIST/raw/*-ubyte, as torchvision lays it out",
    )
    parser.add_argument("--epochs", type=positive, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="of the CPU; left out, torch decides"
    )
    parser.add_argument(
        "--stop-at",
        type=share,
        metavar="ACCURACY",
        help="end after the first epoch with at least this test accuracy, 0 to 1",
    )
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="STEPS",
        help="only so many steps an epoch, for a quick try",
    )
    parser.add_argument(
        "--shuffle", action="store_true", help="the training images, as the example does on a GPU"
    )
    options = parser.parse_args()
    raw = Path(options.data) / "MNIST/raw"
    missing = [name for name in FILES if not (raw / name).is_file()]
    if missing:
        parser.error(
            f'{raw} has no {", ".join(missing)}; mkdir -p {raw} && ln -s "$PWD"/data/raw/*-ubyte'
            f" {raw}/"
        )
    if options.threads:
        torch.set_num_threads(options.threads)
    return options


def positive(text: str) -> int:
    """A whole number from 1; argparse turns the error into its own message."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def share(text: str) -> float:
    """A number from 0 to 1; argparse turns the error into its own message."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1; 99 % is 0.99")
    return number


if __name__ == "__main__":
    main()
