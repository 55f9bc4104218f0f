"""Images and their saliency as PNGs inside the page."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 128  # px; larger images are made smaller, for a page holds dozens of them
# orange and blue: the colour-blind tell them apart too
FOR, AGAINST = (255, 140, 40), (70, 160, 255)
DIM = 0.3  # of the image under the colours


def picture(image: NDArray[np.uint8]) -> str:
    """An image [channels, height, width] of one (grey) or three (red, green, blue) channels as a
    data URI.
    """
    return _uri(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def looked_at(image: NDArray[np.uint8], contributions: NDArray[np.floating[Any]]) -> str:
    """The image, dimmed and grey, with the `contributions` [height, width] of its pixels over it,
    as a data URI.

    Orange is positive, blue negative, the stronger the larger; the largest of the image is full
    colour, in whichever direction.
    """
    most = np.abs(contributions).max()
    # The root: a tenth of the largest contribution is still seen.
    strength = np.sqrt(np.abs(contributions) / most if most > 0 else np.zeros(contributions.shape))[
        ..., None
    ]
    colour = np.where(contributions[..., None] > 0, np.array(FOR), np.array(AGAINST))
    under = DIM * image.mean(axis=0)[..., None]
    return _uri((under * (1 - strength) + colour * strength).round().astype(np.uint8))


def _uri(pixels: NDArray[np.uint8]) -> str:
    drawn = Image.fromarray(np.ascontiguousarray(pixels))
    drawn.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    drawn.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
