"""One process of test_distributed: trains every job it is told, and leaves what became of it; runs
alone as well.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from duli.kinds.image.learning.inputs import Pixels, augmenting
from duli.training import checkpoint, distributed
from duli.training.distributed import World
from duli.training.loop import fit
from tests.training.examples import CLASSES, TASK, examples, network, recipe

# evaluated after every step, so that its loss is told
ALWAYS = {"evaluations": 1000, "checkpoint": {"steps": 1, "minutes": None}}
ROWS = 132  # of which 33 make a step: more for one process than for the other


class Blocks(nn.Module):
    """A network of blocks, for what recomputes block by block. (A bias before a normalisation has
    no gradient but rounding.)
    """

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 6, 5, 2, bias=False), nn.BatchNorm2d(6)
        self.body = nn.Sequential(
            nn.Conv2d(6, 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Flatten(),
        )
        self.head = nn.Linear(6 * 36, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(self.norm(self.stem(images))))
        return logits


def blocks(dropout: float = 0.0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Blocks(dropout)


def bare() -> nn.Module:
    """Without batch normalisation, which sees the parts of a step one by one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, CLASSES)
        )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": network,
    "blocks": blocks,
    "dropout": lambda: blocks(0.2),
    "bare": bare,
}


def train(job: dict[str, Any], world: World, folder: Path) -> None:
    """One training; `folder` gets its weights after each step, its checkpoints and, from rank 0,
    its losses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = NETWORKS[job.get("network", "plain")]()
    resume, from_file = None, folder / "resume.safetensors"
    if job.get("resume"):
        from_file = folder.parent / job["resume"]
    if from_file.is_file():
        resume = checkpoint.unpack(from_file.read_bytes())

    def told(step: int, metrics: dict[str, float]) -> None:
        if (
            "validation_loss" in metrics
            and step == job.get("kill_at")
            and world.rank == world.size - 1
        ):
            marker = folder / "killed"
            if not marker.exists():
                marker.write_text(str(step))
                os.kill(os.getpid(), signal.SIGKILL)

    def kept(content: bytes) -> None:
        state = checkpoint.unpack(content)
        name = f"checkpoint-{world.rank}-{state.values['step']}.safetensors"
        (folder / f"{name}.part").write_bytes(content)
        (folder / f"{name}.part").replace(folder / name)
        if job.get("kill_at"):
            from_file.with_suffix(".part").write_bytes(content)
            from_file.with_suffix(".part").replace(from_file)

    result = fit(
        model,
        examples(ROWS, seed=1),
        examples(67, seed=2),
        recipe(**{"epochs": 2, "batch": 33, **ALWAYS, **job.get("recipe", {})}),
        task=TASK,
        augment=augmenting(recipe().augmentation),
        preprocessing=Pixels(0.29, 0.2),
        device=torch.device("cpu"),
        precision=torch.float32,
        on_metrics=told,
        world=world,
        on_checkpoint=kept,
        resume=resume,
    )
    tensors = checkpoint.weights(model)
    if world.writes:
        (folder / "history.json").write_text(json.dumps(result.history))
    save_file(
        {name: value.contiguous() for name, value in tensors.items()},
        folder / f"weights-{world.rank}.safetensors",
    )


def normalise(world: World, folder: Path) -> None:
    """Batch normalisation of this process's share of the batch in inputs.safetensors, forward and
    backward.
    """
    tensors = load_file(folder.parent / "inputs.safetensors")
    mine = world.slice(len(tensors["values"]))
    model = nn.Sequential(nn.BatchNorm2d(3))
    model.load_state_dict(
        {
            name.removeprefix("state:"): value
            for name, value in tensors.items()
            if name.startswith("state:")
        }
    )
    distributed._synchronise(model, torch.device("cpu"))
    assert type(model[0]) is not nn.BatchNorm2d
    values = tensors["values"][mine].clone().requires_grad_()
    output = model(values)
    output.backward(tensors["gradient"][mine])
    assert values.grad is not None
    left = {"output": output.detach(), "gradient": values.grad}
    left |= {
        f"gradient:{name}": world.sum(weight.grad)
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }
    left |= {f"state:{name}": value for name, value in model.state_dict().items()}
    left["evaluated"] = model.eval()(tensors["values"][mine]).detach()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.contiguous() for name, value in left.items()},
        folder / f"left-{world.rank}.safetensors",
    )


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world, local_rank = distributed.join(os.environ)
    assert local_rank <= world.rank
    distributed.connect(world, torch.device("cpu"))
    for name, job in json.loads((folder / "jobs.json").read_text()).items():
        if job.get("kind") == "normalise":
            normalise(world, folder / name)
        else:
            train(job, world, folder / name)
    distributed.disconnect()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
