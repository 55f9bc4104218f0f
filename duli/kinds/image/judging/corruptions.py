"""Fifteen corruptions as in MNIST-C, for images of any size and of one or three channels.

The kinds and, as far as they carry over, the strengths are those of Mu and Gilmer, "MNIST-C: A
Robustness Benchmark for Computer Vision" (2019, arXiv 1906.02337;
github.com/google-research/mnist-c). Lengths in pixels are stated for images of 28 and grow with the
shorter side.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from duli.kinds.image.judging import pixels as _pixels
from duli.kinds.image.judging.pixels import Floats, Generator, relative, whole

Images = NDArray[np.uint8]
Corruption = Callable[[Floats, Generator], Floats]

# images at a time: few enough to stay in the cache, and for those of 224 pixels and three channels
# 40 MB an array
CHUNK = 64


def corrupted(name: str, images: Images, seed: int, start: int = 0) -> Images:
    """Images [n, channels, height, width] spoilt in the way of `CORRUPTIONS` with this name, of the
    same shape.

    What is drawn for an image depends on seed, name, shape and the image's number in the set alone,
    and not on the other images; `start` is the number of the first of these. So parts of a set give
    the same bytes as the whole. Equal seeds give equal bytes for one version of numpy.
    """
    assert images.dtype == np.uint8
    assert images.ndim == 4
    result = np.empty_like(images, order="C")
    stop = start + len(images)
    for chunk in range(start // CHUNK, -(-stop // CHUNK) if len(images) else 0):
        first, last = max(start, chunk * CHUNK), min(stop, (chunk + 1) * CHUNK)
        # A chunk is always whole, of black images where there are none: so every image finds its
        # numbers in the same place.
        pixels = np.zeros((CHUNK, *images.shape[1:]), np.float32)
        pixels[first % CHUNK : first % CHUNK + last - first] = images[first - start : last - start]
        generator = np.random.default_rng([seed, int.from_bytes(name.encode()), chunk])
        pixels /= 255
        changed = CORRUPTIONS[name](pixels, generator)[first % CHUNK : first % CHUNK + last - first]
        result[first - start : last - start] = (
            (changed * np.float32(255)).round().clip(0, 255).astype(np.uint8)
        )
    return result


# Each of the following takes floats [CHUNK, channels, height, width] from 0 to 1 and gives as many;
# what leaves 0 to 1 is cut off above. The numbers drawn may depend on the shape, never on what is
# in the images.


def _shot_noise(images: Floats, generator: Generator) -> Floats:
    """A full pixel is three photons on average: Poisson noise. More than three are as white as
    three.
    """
    photons = images * 3
    none = np.exp(-photons)
    # The distribution function is inverted, for a sampler of Poisson numbers takes more or fewer
    # random ones as the images are.
    chance = generator.random(images.shape, dtype=np.float32)
    below = (none, none * (1 + photons), none * (1 + photons + photons**2 / 2))
    result = np.zeros_like(images)
    for value in below:
        result += chance >= value
    return result / np.float32(3)


def _impulse_noise(images: Floats, generator: Generator) -> Floats:
    """17 % of the pixels become black or white, each channel by itself."""
    chance = generator.random(images.shape, dtype=np.float32)
    return np.where(
        chance < 0.085, np.float32(0), np.where(chance >= 1 - 0.085, np.float32(1), images)
    )


def _glass_blur(images: Floats, generator: Generator) -> Floats:
    """Blurred (0.7 pixels), neighbours swapped at random, and blurred again.

    MNIST-C walks over all pixels one by one and takes some of them along; here pairs that do not
    overlap swap at once, with a chance that moves a pixel as far as there: by 1.1 along each axis
    (root of the mean square).
    """
    sigma, distance = 0.7 * relative(images), whole(relative(images))
    n, _, height, width = images.shape
    images = _pixels.blurred(images, sigma)
    for _ in range(2):
        for offset in (0, distance):
            for axis in (2, 3):
                chosen = generator.random((n, 1, height, width), dtype=np.float32) < 0.25
                images = _pixels.swapped(images, axis, distance, offset, chosen)
    return _pixels.blurred(images, sigma)


def _motion_blur(images: Floats, generator: Generator) -> Floats:
    """Smeared to one side over ten pixels, by half a Gaussian of 3 pixels, along a line of -45 to
    45 degrees.
    """
    angle = np.radians(generator.uniform(-45, 45, len(images)))
    reach, sigma = whole(10 * relative(images)), 3 * relative(images)
    border = _pixels.padded(images, reach, "edge")
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    result = np.zeros_like(images)
    for step, weight in enumerate(weights / weights.sum()):
        rows, columns = (
            reach + np.rint(step * of).astype(np.int64) for of in (np.sin(angle), np.cos(angle))
        )
        result += _pixels.shifted(border, rows, columns, *images.shape[2:]) * np.float32(weight)
    return result


def _shear(images: Floats, generator: Generator) -> Floats:
    """Sheared along the rows by 0.4 pixels a row, to the one side or the other."""
    mirror = generator.random(len(images)) < 0.5
    return _pixels.either_way(
        images, mirror, lambda some: _pixels.warped(some, np.array([[1, 0], [0.4, 1]]))
    )


def _scale(images: Floats, generator: Generator) -> Floats:
    """Shrunk to 0.7 of its size about the centre."""
    return _pixels.warped(images, np.eye(2) / 0.7)


def _rotate(images: Floats, generator: Generator) -> Floats:
    """Turned about the centre by 0.4 radians (23 degrees), to the one side or the other."""
    mirror = generator.random(len(images)) < 0.5
    cosine, sine = np.cos(0.4), np.sin(0.4)
    return _pixels.either_way(
        images,
        mirror,
        lambda some: _pixels.warped(some, np.array([[cosine, -sine], [sine, cosine]])),
    )


def _brightness(images: Floats, generator: Generator) -> Floats:
    """The largest channel raised by 0.5 and the others with it: colours keep hue and saturation,
    and black becomes grey.
    """
    value = images.max(axis=1, keepdims=True)
    raised = np.minimum(value + np.float32(0.5), 1)
    result: Floats = np.where(value > 0, images * (raised / np.where(value > 0, value, 1)), raised)
    return result


def _translate(images: Floats, generator: Generator) -> Floats:
    """Moved by 3 pixels up or down and by 3 to the left or right."""
    pixels = whole(3 * relative(images))
    rows, columns = generator.integers(0, 2, (2, len(images))) * 2 * pixels
    return _pixels.shifted(
        _pixels.padded(images, pixels, "constant"), rows, columns, *images.shape[2:]
    )


def _stripe(images: Floats, generator: Generator) -> Floats:
    """The first and the last quarter of the columns inverted."""
    quarter = whole(images.shape[3] / 4)
    column = np.arange(images.shape[3])
    return np.where((column < quarter) | (column >= images.shape[3] - quarter), 1 - images, images)


def _fog(images: Floats, generator: Generator) -> Floats:
    """Clouds three times as strong as the image laid over it, and all of it darkened to the maximum
    it had.
    """
    n, _, height, width = images.shape
    most = images.max(axis=(1, 2, 3), keepdims=True)
    result: Floats = (
        (images + 3 * _pixels.clouds(generator, n, height, width, decay=1.4)) * most / (most + 3)
    )
    return result


def _spatter(images: Floats, generator: Generator) -> Floats:
    """Blots of dark grey mud: where smooth noise (1 pixel) is positive, and mostly so around (1.5
    pixels).
    """
    n, _, height, width = images.shape
    noise = generator.standard_normal((n, 1, height, width), dtype=np.float32)
    wet = (_pixels.blurred(noise, relative(images)) > 0).astype(np.float32)
    mud = _pixels.blurred(wet, 1.5 * relative(images))
    mud = np.where(mud < 0.8, np.float32(0), mud)
    return images * (1 - mud) + np.float32(63 / 255) * mud


def _dotted_line(images: Floats, generator: Generator) -> Floats:
    """A white straight line from side to side, of 2 columns in every 4."""
    n, _, height, width = images.shape
    left, right = generator.random((2, n, 1), dtype=np.float32) * (height - 1)
    column = np.arange(width, dtype=np.float32)
    line = _pixels.stroke(
        left + (right - left) * column / max(width - 1, 1), height, 2.3 * relative(images)
    )
    return images + line * ((column + 0.5) / relative(images) % 4 >= 2)


def _zigzag(images: Floats, generator: Generator) -> Floats:
    """A white zigzag of 8 pixels' period and 2 pixels' amplitude from side to side, but for 2
    columns; it rises or falls by at most 5.
    """
    n, _, height, width = images.shape
    scale = relative(images)
    begin = generator.random((n, 1), dtype=np.float32) * (height - 1)
    rise = generator.uniform(-5, 5, (n, 1)).astype(np.float32) * np.float32(scale)
    column = np.arange(width, dtype=np.float32)
    along = column - np.float32(2 * scale)
    wave = 2 * scale * (1 - np.abs((along / np.float32(2 * scale) + 1) % 4 - 2))
    line = _pixels.stroke(
        (begin + rise * along / width + wave).astype(np.float32), height, 2.3 * scale
    )
    result: Floats = images + line * ((along >= 0) & (column < width - 2 * scale))
    return result


def _canny_edges(images: Floats, generator: Generator) -> Floats:
    """White edges on black and nothing else (Canny's, of 1 pixel's blur and the thresholds 0.1 and
    0.2).
    """
    found = _pixels.edges(images, relative(images), low=0.1, high=0.2)
    return np.broadcast_to(found, images.shape).astype(np.float32)


CORRUPTIONS: dict[str, Corruption] = {
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "shear": _shear,
    "scale": _scale,
    "rotate": _rotate,
    "brightness": _brightness,
    "translate": _translate,
    "stripe": _stripe,
    "fog": _fog,
    "spatter": _spatter,
    "dotted_line": _dotted_line,
    "zigzag": _zigzag,
    "canny_edges": _canny_edges,
}
