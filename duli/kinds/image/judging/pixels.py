"""The building blocks of the corruptions: grids, blurs, shifts and noise, for batches of float
images [n, channels, height, width].
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]
Generator = np.random.Generator

SIDE = 28  # of MNIST, whose lengths in pixels the corruptions are stated for


def relative(images: Floats) -> float:
    """The number of pixels of these images per pixel of MNIST, by the shorter side."""
    return float(min(images.shape[2:]) / SIDE)


def whole(pixels: float) -> int:
    """The nearest integer, at least 1."""
    return max(1, round(pixels))


def warped(images: Floats, matrix: NDArray[np.float64]) -> Floats:
    """Images whose pixel at place p holds what was at `matrix` [2, 2] times p; places are (row,
    column) from the centre, in pixels.

    Bilinear; what comes in from outside is black.
    """
    n, channels, height, width = images.shape
    centre = np.array([[(height - 1) / 2], [(width - 1) / 2]])
    rows, columns = matrix @ (np.indices((height, width)).reshape(2, -1) - centre) + centre
    top, left = np.floor(rows), np.floor(columns)
    flat = images.reshape(n, channels, height * width)
    result = np.zeros_like(flat)
    for row, of_row in ((top, 1 - (rows - top)), (top + 1, rows - top)):
        for column, of_column in ((left, 1 - (columns - left)), (left + 1, columns - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = np.where(inside, row * width + column, 0).astype(np.int64)
            result += flat[:, :, place] * (of_row * of_column * inside).astype(np.float32)
    return result.reshape(images.shape)


def either_way(images: Floats, mirror: Bools, change: Callable[[Floats], Floats]) -> Floats:
    """Applies `change` to the images, mirrored left to right where `mirror` [n] is true: a left
    turn becomes a right turn.
    """
    chosen = mirror[:, None, None, None]
    result = change(np.where(chosen, images[..., ::-1], images))
    return np.where(chosen, result[..., ::-1], result)


def shifted(padded: Floats, rows: Integers, columns: Integers, height: int, width: int) -> Floats:
    """The window [height, width] of each padded image that begins at its row and its column ([n]
    each).
    """
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    result: Floats = windows[np.arange(len(padded)), :, rows, columns]
    return result


def padded(images: Floats, pixels: int, mode: Literal["constant", "edge"]) -> Floats:
    """Images padded by this many pixels: black ("constant") or with their edge pixels ("edge")."""
    return np.pad(images, ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)), mode)


def blurred(images: Floats, sigma: float) -> Floats:
    """Gaussian blur, truncated at four standard deviations of `sigma` pixels; edge pixels extend
    beyond the border.
    """
    radius = whole(4 * sigma)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (2, 3):
        places = np.arange(-radius, images.shape[axis] + radius).clip(0, images.shape[axis] - 1)
        longer = images.take(places, axis=axis)
        cut = [slice(None)] * 4
        result = np.zeros_like(images)
        for start, weight in enumerate(weights):
            cut[axis] = slice(start, start + images.shape[axis])
            result += longer[tuple(cut)] * weight
        images = result
    return images


def swapped(images: Floats, axis: int, distance: int, offset: int, chosen: Bools) -> Floats:
    """Images in which pixels `distance` apart along the axis have changed places where `chosen` [n,
    1, height, width] of the first is true.

    From `offset` on, each stretch of `distance` pixels is paired with the next one: no pixel is in
    two pairs, and none is lost.
    """
    length = images.shape[axis]
    first = np.arange(offset, length)
    first = first[((first - offset) // distance % 2 == 0) & (first + distance < length)]
    second = first + distance
    here, there = images.take(first, axis=axis), images.take(second, axis=axis)
    change = chosen.take(first, axis=axis)
    result = images.copy()
    cut: list[slice | Integers] = [slice(None)] * 4
    cut[axis] = first
    result[tuple(cut)] = np.where(change, there, here)
    cut[axis] = second
    result[tuple(cut)] = np.where(change, here, there)
    return result


def clouds(generator: Generator, n: int, height: int, width: int, decay: float) -> Floats:
    """Smooth random fields [n, 1, height, width] between 0 and 1: each octave is twice as fine as
    the last and `decay` times weaker.

    The coarsest octave has points eight sides apart, the finest is of single pixels. They are in
    the place of the corner that MNIST-C cuts from a larger map made by the diamond-square algorithm
    (Fournier, Fussell and Carpenter, CACM 1982).
    """
    field = np.zeros((n, height, width), np.float32)
    spacing, weight, weights = 8.0 * max(height, width), 1.0, 0.0
    while spacing >= 1:
        # where between its points the image begins
        begin = generator.random((2, n), dtype=np.float32)
        points = generator.random(
            (n, *(int(side / spacing) + 3 for side in (height, width))), dtype=np.float32
        )
        for axis, side in ((1, height), (2, width)):
            place = begin[axis - 1][:, None] + np.arange(side, dtype=np.float32) / np.float32(
                spacing
            )
            low = place.astype(np.int64)
            part, index = (np.expand_dims(array, 3 - axis) for array in (place - low, low))
            points = (
                np.take_along_axis(points, index, axis) * (1 - part)
                + np.take_along_axis(points, index + 1, axis) * part
            )
        field += np.float32(weight) * points
        weights += weight
        spacing, weight = spacing / 2, weight / decay
    # As much contrast as those corners have at decay 1.4: a deviation of 0.06 within an image and
    # of 0.19 between the means of images.
    contrast = np.float32(2.2)
    return ((field / np.float32(weights) - np.float32(0.5)) * contrast + np.float32(0.5)).clip(
        0, 1
    )[:, None]


def stroke(centre: Floats, height: int, reach: float) -> Floats:
    """The white that a stroke adds, [n, 1, height, width]; its row at each column is `centre` [n,
    width], and it ends `reach` pixels from there.
    """
    distance = np.abs(
        np.arange(height, dtype=np.float32)[:, None] - centre[:, None, :]
    ) / np.float32(reach)
    ink: Floats = np.log(1 - distance.clip(max=np.float32(1 - 1e-6))) + 1
    return ink.clip(0, 1)[:, None]


def edges(images: Floats, sigma: float, low: float, high: float) -> Bools:
    """Edges [n, 1, height, width] of the images' mean channel (Canny, IEEE PAMI 1986); the
    outermost pixels are none.

    Where the Sobel gradient after a blur of `sigma` pixels is largest across the edge, is at least
    `low`, and is connected to such a place of at least `high`. The gradient of a step from black to
    white is 4.
    """
    a, b, c, d, _, f, g, h, i = _around(
        padded(blurred(images.mean(axis=1, keepdims=True), sigma), 1, "edge")
    )
    across, down = (c + 2 * f + i) - (a + 2 * d + g), (g + 2 * h + i) - (a + 2 * b + c)
    size = np.hypot(across, down)
    edge = _largest(size, across, down) & (size >= np.float32(low))
    edge[..., [0, -1], :] = edge[..., :, [0, -1]] = False
    return _connected(edge, edge & (size >= np.float32(high)))


def _around(border: Floats) -> list[Floats]:
    """The pixel to the upper left of each, the one above it, and so on to the one at the lower
    right, from images with a border of 1.
    """
    height, width = border.shape[2] - 2, border.shape[3] - 2
    return [
        border[..., row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]


def _largest(size: Floats, across: Floats, down: Floats) -> Bools:
    """Whether the gradient is no smaller than one pixel before and behind along its own direction,
    interpolated linearly.
    """
    a, b, c, d, _, f, g, h, i = _around(padded(size, 1, "constant"))
    flat = np.abs(across) >= np.abs(down)
    larger, smaller = (
        np.maximum(np.abs(across), np.abs(down)),
        np.minimum(np.abs(across), np.abs(down)),
    )
    part = smaller / np.where(larger > 0, larger, 1)
    same = across * down >= 0  # to the lower right, or to the upper left
    result = np.ones(size.shape, np.bool_)
    for straight, diagonal in (
        (np.where(flat, f, h), np.where(same, i, np.where(flat, c, g))),
        (np.where(flat, d, b), np.where(same, a, np.where(flat, g, c))),
    ):
        result &= size >= straight * (1 - part) + diagonal * part
    return result


def _connected(edge: Bools, sure: Bools) -> Bools:
    """The pixels of `edge` that a path of edges, also diagonal, connects to a sure one."""
    while True:
        border = np.pad(sure, ((0, 0), (0, 0), (1, 1), (1, 1)))
        tall = border[..., :-2, :] | border[..., 1:-1, :] | border[..., 2:, :]
        grown = (tall[..., :-2] | tall[..., 1:-1] | tall[..., 2:]) & edge
        if np.array_equal(grown, sure):
            return sure
        sure = grown
