"""Where ink is and how it leans, by hand."""

import numpy as np
import pytest

from duli.kinds.image.intake.looks import looks


def image(*spots: tuple[int, int], side: int = 9) -> np.ndarray:
    pixels = np.zeros((1, 1, side, side), np.uint8)
    for y, x in spots:
        pixels[0, 0, y, x] = 200
    return pixels


def test_the_centre_is_where_the_ink_is() -> None:
    found = looks(image((2, 5), (4, 7)))
    assert (found["centre_x"][0], found["centre_y"][0]) == (6, 3)


def test_a_shift_moves_the_centre_and_nothing_else() -> None:
    spots = image((2, 3), (3, 3), (4, 4))
    one, other = looks(spots), looks(np.roll(spots, 2, axis=3))
    assert other["centre_x"][0] == pytest.approx(one["centre_x"][0] + 2)
    for name in ("centre_y", "slant", "roughness"):
        assert other[name][0] == pytest.approx(one[name][0])


@pytest.mark.parametrize(
    ("spots", "slant"),
    [([(1, 4), (4, 4), (7, 4)], 0), ([(1, 1), (4, 4), (7, 7)], 1), ([(2, 6), (4, 4), (6, 2)], -1)],
)
def test_slant_is_sideways_pixels_per_pixel_of_height(
    spots: list[tuple[int, int]], slant: float
) -> None:
    assert looks(image(*spots))["slant"][0] == pytest.approx(slant, abs=1e-5)


def test_black_has_no_place_and_one_row_no_slant() -> None:
    black = looks(np.zeros((1, 3, 4, 4), np.uint8))
    assert all(np.isnan(values[0]) for values in black.values())
    row = looks(image((3, 2), (3, 6)))
    assert np.isnan(row["slant"][0])
    assert row["centre_x"][0] == 4


def test_roughness_of_a_spot_by_hand() -> None:
    assert looks(image((4, 4)))["roughness"][0] == 4  # a step on each side


def test_brightness_changes_nothing_of_it() -> None:
    spots = image((2, 3), (3, 3), (4, 4))
    for name, values in looks(spots).items():
        assert looks(spots // 2)[name][0] == pytest.approx(values[0]), name
