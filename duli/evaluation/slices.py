"""Where the model is weaker: accuracy by class, by columns of the examples, by what can be seen of the images."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.evaluation.predict import Images
from duli.intervals import proportion

INK = 128  # a pixel from here on counts as ink
MANY = 50  # different values of a column that is no number; more of them are names, not groups

Labels = NDArray[np.integer[Any]]


class Groups(NamedTuple):
    """Which group each example belongs to, by one property."""

    names: list[str]  # in the order of display
    of: NDArray[np.int64]  # [n], index into names


def looks(images: Images) -> dict[str, NDArray[np.float64]]:
    """What can be measured of images [n, channels, height, width], each [n]: `ink` and `contrast` from 0 to 1, `stroke_width` in pixels.

    Ink is the mean, contrast the standard deviation of the pixels (RMS contrast, Peli 1990). The stroke width is twice the area over
    the perimeter, which is exact for long strokes; 0 without ink.
    """
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    # A line of background around each image, so that ink at its edge has a perimeter too.
    inked = np.pad((images.max(axis=1) >= INK).astype(np.int8), ((0, 0), (1, 1), (1, 1)))
    perimeter = sum(np.abs(np.diff(inked, axis=axis)).sum(axis=(1, 2), dtype=np.int64) for axis in (1, 2))
    area = inked.sum(axis=(1, 2), dtype=np.int64)
    width = np.divide(2.0 * area, perimeter, out=np.zeros(len(images)), where=area > 0)
    return {
        "ink": pixels.mean(axis=1, dtype=np.float64),
        "stroke_width": width,
        "contrast": pixels.std(axis=1, dtype=np.float64),
    }


def by_value(values: Sequence[Any]) -> Groups | None:
    """A group for each value, missing ones together; None where there are fewer than two or more than `MANY`."""
    texts = np.array(["(missing)" if value is None else str(value) for value in values], dtype=object)
    names, of = np.unique(texts.astype(str), return_inverse=True)
    return Groups([str(name) for name in names], of.astype(np.int64)) if 2 <= len(names) <= MANY else None


def by_quantile(values: NDArray[np.floating[Any]], parts: int) -> Groups | None:
    """`parts` groups of equal size from low to high, fewer where values repeat; None where that leaves one, or a value is not finite."""
    if not len(values) or not np.isfinite(values).all():
        return None
    # Values that occur, so that no group between two of them is empty.
    inner = np.quantile(values, np.arange(1, parts) / parts, method="higher")
    edges = np.unique(inner[inner > values.min()])
    of = np.searchsorted(edges, values, side="right")
    ends = [values.min(), *edges, values.max()]
    return Groups([f"{low:.3g} to {high:.3g}" for low, high in pairwise(ends)], of) if len(edges) else None


def judged(groups: Mapping[str, Groups], predictions: Labels, labels: Labels, smallest: int) -> dict[str, Any]:
    """Accuracy of every group of every property, with what lies between them.

    For each property: `worst`, the group of lowest accuracy with its interval; `difference` and `ratio` of the lowest and the highest
    accuracy (as in fairlearn); `groups`, a row each. Groups of fewer than `smallest` examples are in `not_judged`, with their
    sizes, and nowhere else. Where none is judged there is no worst, and a gate that asks for it does not pass.
    """
    return {name: _property(one, predictions, labels, smallest) for name, one in groups.items()}


def _property(groups: Groups, predictions: Labels, labels: Labels, smallest: int) -> dict[str, Any]:
    from fairlearn.metrics import MetricFrame, count
    from sklearn.metrics import accuracy_score

    sizes = np.bincount(groups.of, minlength=len(groups.names))
    facts: dict[str, Any] = {
        "groups": [],
        "not_judged": [{"group": name, "n": int(n)} for name, n in zip(groups.names, sizes, strict=True) if n < smallest],
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
        facts["groups"].append({"group": groups.names[int(group)], **proportion(round(row["accuracy"] * n), n)})
    facts["worst"] = min(facts["groups"], key=lambda row: row["value"])
    facts["difference"] = float(frame.difference()["accuracy"])
    facts["ratio"] = float(frame.ratio()["accuracy"])
    return facts
