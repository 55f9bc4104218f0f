"""Visible properties of images."""

import numpy as np
from numpy.typing import NDArray

from duli.evaluation.predict import Images

INK = 128  # pixels from this level on count as ink


def looks(images: Images) -> dict[str, NDArray[np.float64]]:
    """Visible properties of images [n, channels, height, width], each [n]: `brightness` and
    `contrast` from 0 to 1, `thickness` in pixels.

    Brightness is the mean, contrast the standard deviation of the pixels (RMS contrast, Peli 1990).
    The thickness is that of strokes, light on dark: twice the area over the perimeter, which is
    exact for long ones; 0 without ink.
    """
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    # A line of background around each image, so that ink at its edge has a perimeter too.
    inked = np.pad((images.max(axis=1) >= INK).astype(np.int8), ((0, 0), (1, 1), (1, 1)))
    perimeter = sum(
        np.abs(np.diff(inked, axis=axis)).sum(axis=(1, 2), dtype=np.int64) for axis in (1, 2)
    )
    area = inked.sum(axis=(1, 2), dtype=np.int64)
    thickness = np.divide(2.0 * area, perimeter, out=np.zeros(len(images)), where=area > 0)
    return {
        "brightness": pixels.mean(axis=1, dtype=np.float64),
        "thickness": thickness,
        "contrast": pixels.std(axis=1, dtype=np.float64),
    }
