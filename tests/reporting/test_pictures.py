"""Pictures hold the pixels given; maps are orange where something spoke for the answer, blue where
against, and grey elsewhere.
"""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from duli.kinds.image.judging import pictures


def pixels(uri: str) -> np.ndarray:
    kind, content = uri.split(",", 1)
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_image_is_drawn_pixel_by_pixel(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (channels, 5, 7)).astype(np.uint8)
    drawn = pixels(pictures.picture(image))
    assert (drawn == (image[0] if channels == 1 else image.transpose(1, 2, 0))).all()
    assert pictures.picture(image) == pictures.picture(image.copy())


def test_a_large_image_is_made_smaller_and_keeps_its_shape() -> None:
    assert pixels(pictures.picture(np.zeros((3, 448, 224), np.uint8))).shape == (128, 64, 3)


def test_colours_of_a_map_follow_sign_and_size() -> None:
    image = np.full((1, 1, 4), 200, np.uint8)
    drawn = pixels(pictures.looked_at(image, np.array([[4.0, -4.0, 0.0, 1.0]])))
    under = round(0.3 * 200)
    assert drawn[0, :3].tolist() == [list(pictures.FOR), list(pictures.AGAINST), [under] * 3]
    # the root of a quarter
    assert np.abs(drawn[0, 3] - (0.5 * under + 0.5 * np.array(pictures.FOR))).max() <= 1


def test_a_map_of_nothing_is_the_image_dimmed() -> None:
    drawn = pixels(pictures.looked_at(np.full((3, 2, 2), 100, np.uint8), np.zeros((2, 2))))
    assert (drawn == 30).all()
