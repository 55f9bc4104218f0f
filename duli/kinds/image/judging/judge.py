"""Evaluation of image models: by visible properties, under corruption and attack, and by what the
network looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from duli.evaluation.judged import Facts, Features, Loss, Model, Split
from duli.evaluation.predict import Inputs
from duli.kinds.image.judging import attack, pictures
from duli.kinds.image.judging.corruptions import CORRUPTIONS, corrupted
from duli.kinds.image.judging.looks import looks as looks_of
from duli.kinds.image.judging.saliency import integrated_gradients
from duli.kinds.image.judging.sized import NEED_PICTURES, no_pictures

SIDE = 32  # pixels a side, at most, that a linear baseline is given


def skipped(description: Facts) -> Mapping[str, str]:
    """The measures that do not apply, and why."""
    reason = no_pictures(description["input"])
    return dict.fromkeys(NEED_PICTURES, reason) if reason else {}


def looks(split: Split) -> dict[str, NDArray[np.float64]]:
    """Measurable properties of each example, [n]."""
    return looks_of(split.inputs)


def ways(
    split: Split, rows: NDArray[np.int64], description: Facts, seed: int
) -> dict[str, Callable[[], Inputs]]:
    """The corruptions of MNIST-C, by name."""
    images = split.inputs[rows]
    return {name: partial(corrupted, name, images, seed) for name in CORRUPTIONS}


def attacked(
    model: Model, inputs: Inputs, loss: Loss, *, epsilon: int, steps: int, seed: int
) -> Inputs:
    """Images at most `epsilon` grey levels from these that raise the loss of the trained network.

    Its gradients are known; those of an int8 file are not.
    """
    return attack.pgd(
        model.trained,
        inputs,
        loss,
        epsilon=epsilon / attack.LEVELS,
        steps=steps,
        seed=seed,
        **model.description["normalisation"],
    )


def features(splits: Sequence[Split], outputs: int) -> Features:
    """Pixels as numbers around 0; of large images every second pixel, or fewer."""
    apart = -(-max(splits[0].inputs.shape[2:]) // SIDE)
    flat = [
        split.inputs[:, :, ::apart, ::apart].reshape(len(split.inputs), -1).astype(np.float32)
        for split in splits
    ]
    mean, std = flat[0].mean(), flat[0].std()
    return Features([(one - mean) / max(std, 1) for one in flat], (0.01, 1.0))


def shown(
    model: Model,
    split: Split,
    rows: list[int],
    outputs: NDArray[np.int64],
    others: NDArray[np.int64],
    seed: int,
) -> Facts:
    """The mistakes with their saliency, and an image under each corruption.

    That of the trained network, which has gradients: one output less the other, pixel by pixel.
    """
    images, example = split.inputs[rows], split.inputs[:1]
    of_one, of_other = (
        integrated_gradients(
            model.trained, images, outputs=each, **model.description["normalisation"]
        )
        for each in (outputs, others)
    )
    return {
        "mistakes": [
            {
                "image": pictures.picture(image),
                "looked_at": pictures.looked_at(image, contributions),
            }
            for image, contributions in zip(images, of_one - of_other, strict=True)
        ],
        "corruptions": {
            name: pictures.picture(corrupted(name, example, seed)[0]) for name in CORRUPTIONS
        },
        "clean": pictures.picture(example[0]),
    }
