"""A small task that a network learns in a few steps: which quarter of the image is bright."""

import torch
from torch import Tensor, nn

from duli.models import fastconv
from duli.tasks.classification.learning.learn import Learning
from duli.training.feed import Examples
from duli.training.params import Training

SIDE, CLASSES = 16, 4
TASK = Learning({"classes": [str(one) for one in range(CLASSES)]})

RECIPE = {
    "epochs": 3,
    "hardest": 0.5,
    "batch": 32,
    "micro_batch": None,
    "loss": "cross_entropy",
    "label_smoothing": 0.1,
    "optimizer": "adamw",
    "learning_rate": 0.02,
    "weight_decay": 0.01,
    "schedule": "one_cycle",
    "warm_up": 0.3,
    "clip_norm": None,
    "ema": None,
    "evaluations": 8,
    "early_stopping": None,
    "augmentation": {
        "rotate": 5.0,
        "scale": 0.1,
        "shear": 0.1,
        "shift": 1.0,
        "elastic": 0.0,
        "flip": 0.0,
        "erase": 0.0,
    },
    "transfer": {
        "init_from": None,
        "sha256": None,
        "frozen": 0,
        "unfreeze": 0.0,
        "layer_decay": 1.0,
    },
    "pretraining": None,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "compile": False,
    "deterministic": True,
    "examples": "auto",
    "parallel": "ddp",
    "activation_checkpointing": False,
    "checkpoint": {"steps": None, "minutes": None},
    "seed": 0,
}


def recipe(**changes: object) -> Training:
    return Training.model_validate({**RECIPE, **changes})


def examples(n: int, seed: int = 0) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (n,), generator=generator)
    images = torch.randint(0, 100, (n, 1, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    for label in range(CLASSES):
        top, left = SIDE // 2 * (label // 2), SIDE // 2 * (label % 2)
        images[labels == label, :, top : top + SIDE // 2, left : left + SIDE // 2] += 100
    return Examples(images, labels)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = fastconv.Settings(
            stem=8,
            blocks=((8,),),
            activation="relu",
            initialisation="default",
            normalisation="batch",
            dropout=0.0,
        )
        return fastconv.build(settings, channels=1, height=SIDE, width=SIDE, outputs=CLASSES)


def weights(model: nn.Module) -> list[Tensor]:
    return [value.clone() for value in model.state_dict().values()]
