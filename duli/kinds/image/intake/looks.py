"""Drift features of images beyond the prepared columns: where the ink is and how it leans, which
neither mean nor histogram of the pixels shows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli.kinds.image.judging.looks import looks as people_see

Images = NDArray[np.uint8]

# What prepare and a server call statistics of pixels, and evaluate's slices and people otherwise.
NAMES = {"mean": "brightness", "std": "contrast"}
SAME = frozenset({"height", "width"})  # columns that are the same for all
COUNTED = frozenset({"mean", "std", "min", "max"})  # what a server counts of them


def seen(images: Images) -> dict[str, NDArray[np.float64]]:
    """Drift features of images [n, channels, height, width], each [n]."""
    return {"thickness": people_see(images)["thickness"], **looks(images)}


def looks(images: Images) -> dict[str, NDArray[np.float64]]:
    """`centre_x` and `centre_y` in pixels, `slant` and `roughness` without unit, each [n], of
    images [n, channels, height, width].

    The centre is that of the grey levels; the slant their covariance of x and y over that of y:
    sideways pixels per pixel of height (Hu 1962, LeCun et al. 1998). Roughness is the mean
    difference of neighbours over the mean grey level. NaN if an image is black; the slant also
    where all its ink is in one row.
    """
    grey = images.sum(axis=1, dtype=np.float32)
    total = grey.sum(axis=(1, 2), dtype=np.float64)
    y, x = np.arange(grey.shape[1], dtype=np.float64), np.arange(grey.shape[2], dtype=np.float64)
    rows, columns = grey.sum(axis=2, dtype=np.float64), grey.sum(axis=1, dtype=np.float64)
    centre_x, centre_y = _over(columns @ x, total), _over(rows @ y, total)
    vertical = _over(rows @ y**2, total) - centre_y**2
    mixed = _over((grey @ x.astype(np.float32)).astype(np.float64) @ y, total) - centre_x * centre_y
    steps = sum(
        np.abs(np.diff(grey, axis=axis)).sum(axis=(1, 2), dtype=np.float64) for axis in (1, 2)
    )
    # Below a thousandth of a pixel the variance is rounding.
    return {
        "centre_x": centre_x,
        "centre_y": centre_y,
        "slant": _over(mixed, np.where(vertical > 1e-3, vertical, 0.0)),
        "roughness": _over(np.asarray(steps), total),
    }


def _over(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    over = np.full(len(other), np.nan)
    np.divide(one, other, out=over, where=other > 0)
    return over
