"""Slices: accuracy by class, by columns of the examples, and by visible properties."""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.base.intervals import proportion

MISSING = "(missing)"
ALIKE = "all values are alike, or too many of them"
MANY = 50  # different values of a column that is no number; more of them are names, not groups

Labels = NDArray[np.integer[Any]]


class Groups(NamedTuple):
    """The group of each example, by one property."""

    names: list[str]  # in the order of display
    of: NDArray[np.int64]  # [n], index into names


def by_value(values: Sequence[Any]) -> Groups | str:
    """A group for each value, missing ones together; or in words why there are none: fewer than two
    values, or more than `MANY`.
    """
    texts = np.array([MISSING if value is None else str(value) for value in values], dtype=object)
    names, of = np.unique(texts.astype(str), return_inverse=True)
    if len(names) < 2:
        return ALIKE
    if len(names) > MANY:
        return f"there are {len(names):,} values; more than {MANY} are names, not groups"
    return Groups([str(name) for name in names], of.astype(np.int64))


def by_quantile(values: NDArray[np.floating[Any]], parts: int) -> Groups | str:
    """`parts` groups of equal size from low to high, fewer where values repeat; in words why there
    are none where that leaves one.

    What is not finite counts as missing, and is a further group.
    """
    there = np.isfinite(values)
    of = np.zeros(len(values), np.int64)
    names: list[str] = []
    if there.any():
        known = values[there]
        # Values that occur, so that no group between two of them is empty.
        inner = np.quantile(known, np.arange(1, parts) / parts, method="higher")
        edges = np.unique(inner[inner > known.min()])
        of[there] = np.searchsorted(edges, known, side="right")
        alike = [
            known[of[there] == part].max() == low for part, low in enumerate([known.min(), *edges])
        ]
        names = _ranges([known.min(), *edges, known.max()], alike)
    if not there.all():
        of[~there] = len(names)
        names.append(MISSING)
    return Groups(names, of) if len(names) >= 2 else ALIKE


def _ranges(ends: Sequence[float], alike: Sequence[bool]) -> list[str]:
    """The ranges between two ends each, in as few digits as tell the ends apart; one number if all
    values are `alike`.
    """
    for digits in range(3, 18):
        texts = [f"{end:.{digits}g}" for end in ends]
        if len(set(texts)) == len(set(ends)):
            break
    return [
        low if same else f"{low} to {high}"
        for (low, high), same in zip(pairwise(texts), alike, strict=True)
    ]


def crossed(first: Groups, second: Groups) -> Groups:
    """A group for each pair of groups that occurs together, such as (old, male)."""
    pairs, of = np.unique(first.of * len(second.names) + second.of, return_inverse=True)
    places = [divmod(int(pair), len(second.names)) for pair in pairs]
    return Groups(
        [f"{first.names[one]}, {second.names[other]}" for one, other in places], of.astype(np.int64)
    )


def judged(
    groups: Mapping[str, Groups],
    predictions: Labels,
    labels: Labels,
    smallest: int,
    sensitive: Collection[str] = (),
) -> dict[str, Any]:
    """The accuracy of every group of every property, with the gaps between them; `sensitive`
    properties are marked.

    For each property: `worst`, the group of lowest accuracy with its interval; `difference` and
    `ratio` of the lowest and the highest accuracy (as in fairlearn); `groups`, a row each. Groups
    of fewer than `smallest` examples are in `not_judged`, with their sizes, and nowhere else. Where
    none is judged there is no worst, and a gate that asks for it does not pass.
    """
    return {
        name: {
            **({"sensitive": True} if name in sensitive else {}),
            **_property(one, predictions, labels, smallest),
        }
        for name, one in groups.items()
    }


def _property(groups: Groups, predictions: Labels, labels: Labels, smallest: int) -> dict[str, Any]:
    from fairlearn.metrics import MetricFrame, count
    from sklearn.metrics import accuracy_score

    sizes = np.bincount(groups.of, minlength=len(groups.names))
    facts: dict[str, Any] = {
        "groups": [],
        "not_judged": [
            {"group": name, "n": int(n)}
            for name, n in zip(groups.names, sizes, strict=True)
            if n < smallest
        ],
    }
    kept = sizes[groups.of] >= smallest
    if not kept.any():
        return facts
    frame = MetricFrame(
        metrics={"accuracy": accuracy_score, "n": count},
        y_true=labels[kept],
        y_pred=predictions[kept],
        sensitive_features=groups.of[kept],
    )
    for group, row in frame.by_group.iterrows():
        n = int(row["n"])
        facts["groups"].append(
            {"group": groups.names[int(group)], **proportion(round(row["accuracy"] * n), n)}
        )
    facts["worst"] = min(facts["groups"], key=lambda row: row["value"])
    facts["difference"] = float(frame.difference()["accuracy"])
    facts["ratio"] = float(frame.ratio()["accuracy"])
    return facts
