"""How models of images are judged: by what can be seen of them, spoilt, attacked, and by what the
network looked at.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from duli.kinds.image.judging import pictures
from duli.kinds.image.judging.corruptions import CORRUPTIONS, corrupted
from duli.kinds.image.judging.saliency import integrated_gradients
from duli.kinds.image.judging.sized import NEED_PICTURES, no_pictures
from duli.tasks.classification.judging import baseline, charts, slices
from duli.tasks.classification.judging import robustness as robust
from duli.tasks.classification.judging.judged import Facts, Model, Shown, Test
from duli.tasks.classification.judging.params import Robustness


def skipped(description: Facts) -> Mapping[str, str]:
    """The measures that do not apply, and why."""
    reason = no_pictures(description["input"])
    return dict.fromkeys(NEED_PICTURES, reason) if reason else {}


def looks(test: Test) -> dict[str, NDArray[np.float64]]:
    """What can be measured of each example, [n]."""
    return slices.looks(test.inputs)


def robustness(model: Model, test: Test, settings: Robustness) -> Facts:
    """Answers to spoilt images of the file that ships, and to attacked ones."""
    return {**_corruptions(model, test, settings), **_attacks(model, test, settings)}


def _corruptions(model: Model, test: Test, settings: Robustness) -> Facts:
    """What the file that ships answers to spoilt images."""
    rows = robust.evenly(len(test.labels), settings.corruptions.examples)
    images = test.inputs[rows]
    ways = {name: partial(corrupted, name, images, settings.seed) for name in CORRUPTIONS}
    return robust.under_corruptions(model.answers_shipped, images, ways, test.labels[rows])


def _attacks(model: Model, test: Test, settings: Robustness) -> Facts:
    """What both answer to images that were made against the trained network, whose gradients are
    known: those of int8 are not.
    """
    rows, pgd = robust.evenly(len(test.labels), settings.pgd.examples), settings.pgd
    answers = {"trained": model.answers_trained, "shipped": model.answers_shipped}
    found = robust.under_attack(
        model.trained,
        answers,
        test.inputs[rows],
        test.labels[rows],
        epsilons=pgd.epsilons,
        steps=pgd.steps,
        seed=settings.seed,
        **model.description["normalisation"],
    )
    return {"pgd": found, "pgd_steps": pgd.steps, "pgd_sizes": [0, *pgd.epsilons]}


def linear(train: Test, validation: Test, test: Test) -> baseline.Linear:
    """What a linear model of the pixels answers to the test split."""
    splits = [split.inputs for split in (train, validation, test)]
    return baseline.linear(baseline.pixels(splits), (train.labels, validation.labels), (0.01, 1.0))


def shown(model: Model, test: Test, facts: Facts, seed: int) -> Shown:
    """The mistakes with what the network looked at, and an image under each corruption."""
    rows, found = [mistake["row"] for mistake in facts["mistakes"]], facts["robustness"]
    curves = {
        which: [both[which] for both in found["pgd"].values()] for which in ("trained", "shipped")
    }
    example = test.inputs[:1]
    return Shown(
        {"attack": charts.attack(found["pgd_sizes"], curves)},
        {
            "mistakes": _mistakes(model, test, rows),
            "corruptions": {
                name: pictures.picture(corrupted(name, example, seed)[0]) for name in CORRUPTIONS
            },
            "clean": pictures.picture(example[0]),
        },
    )


def _mistakes(model: Model, test: Test, rows: list[int]) -> list[dict[str, str]]:
    """The image of each mistake, and what spoke for the answer rather than for the label.

    That of the trained network, which has gradients: the logit of the answer less that of the
    label, pixel by pixel.
    """
    images, labels = test.inputs[rows], test.labels[rows]
    answers = model.answers_shipped(images) if rows else labels
    for_answer, for_label = (
        integrated_gradients(
            model.trained, images, classes=classes, **model.description["normalisation"]
        )
        for classes in (answers, labels)
    )
    return [
        {"image": pictures.picture(image), "looked_at": pictures.looked_at(image, contributions)}
        for image, contributions in zip(images, for_answer - for_label, strict=True)
    ]
