"""Robustness: accuracy on corrupted and attacked examples, each with its 95 % interval."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.base.intervals import proportion
from duli.base.progress import progress
from duli.evaluation import bootstrap
from duli.evaluation.predict import Inputs

Labels = NDArray[np.integer[Any]]
Answers = Callable[[Inputs], Labels]  # examples -> predicted classes

LEVELS = 255  # grey levels that epsilons are stated in


def evenly(n: int, most: int | None) -> NDArray[np.int64]:
    """At most `most` of n rows, evenly spaced, because order may matter: the first half of MNIST's
    test images is the easier one.
    """
    taken = n if most is None else min(n, most)
    return np.arange(taken, dtype=np.int64) * n // max(1, taken)


def under_corruptions(
    answers: Answers, clean: Inputs, ways: Mapping[str, Callable[[], Inputs]], labels: Labels
) -> dict[str, Any]:
    """Accuracy on clean examples (`clean`), under each of the `ways`, on average over these and in
    the `worst` one.

    The interval of the average is that of its mean over examples: the ways share the examples, so
    they are not independent.
    """
    right = {
        name: answers(spoilt()) == labels
        for name, spoilt in progress(ways.items(), "spoilt examples", total=len(ways), unit="kinds")
    }
    each = {name: proportion(int(one.sum()), len(labels)) for name, one in right.items()}
    worst = min(each, key=lambda name: each[name]["value"])
    # Number of examples answered right under none of the ways, under one, ... under all.
    survived = np.bincount(np.sum(list(right.values()), axis=0), minlength=len(right) + 1)
    return {
        "clean": proportion(int((answers(clean) == labels).sum()), len(labels)),
        "corruptions": each,
        "mean": bootstrap.of_counts(_mean_share, survived),
        "worst": {"name": worst, **each[worst]},
    }


def under_attack(
    attacked: Callable[[int], Inputs],
    answers: Mapping[str, Answers],
    clean: Inputs,
    labels: Labels,
    epsilons: Sequence[int],
) -> dict[str, Any]:
    """Accuracy of each of `answers` on `attacked` examples, by the size of the attack.

    A size is called `8_of_255`, since a dot would end the name for a gate. `0_of_255` is the clean
    accuracy.
    """
    found = {}
    for epsilon in progress(
        (0, *epsilons), "attacked examples", total=1 + len(epsilons), unit="sizes"
    ):
        inputs = attacked(epsilon) if epsilon else clean
        found[f"{epsilon}_of_{LEVELS}"] = {
            name: proportion(int((one(inputs) == labels).sum()), len(labels))
            for name, one in answers.items()
        }
    return found


def _mean_share(survived: NDArray[np.integer[Any]]) -> NDArray[np.floating[Any]]:
    """Share of right answers over all examples and ways, from how many examples were right in how
    many ways, [..., ways + 1].
    """
    ways = survived.shape[-1] - 1
    return np.asarray(survived @ np.arange(ways + 1) / (ways * survived.sum(axis=-1)))
