"""Each corruption does what it says, to images of any size, and by the seed alone."""

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from duli.kinds.image.judging import pixels as _pixels
from duli.kinds.image.judging.corruptions import CHUNK, CORRUPTIONS, Images, corrupted

FIXED = {"scale", "brightness", "stripe", "canny_edges"}  # these draw nothing
BLACK_STAYS = set(CORRUPTIONS) - {
    "impulse_noise",
    "brightness",
    "stripe",
    "spatter",
    "dotted_line",
    "zigzag",
}
NAMES = pytest.mark.parametrize("name", CORRUPTIONS)


def digits(n: int, channels: int = 1, height: int = 28, width: int = 28, seed: int = 0) -> Images:
    """Soft-edged rings and bars, bright on black, in the middle of images with a black border: like
    digits, each its own.
    """
    generator = np.random.default_rng(seed)
    row, column = (
        np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    )
    unit = min(height, width) / 28
    radius, bar = (
        generator.uniform(4, 7, (n, 1, 1)) * unit,
        generator.uniform(-3, 3, (n, 1, 1)) * unit,
    )
    ring, stem = (
        np.abs(np.hypot(row, column) - radius),
        np.maximum(np.abs(column - bar), np.abs(row) - 8 * unit),
    )
    ink = (2 * unit - np.minimum(ring, stem)).clip(0, 1) * 255
    return np.repeat(ink.astype(np.uint8)[:, None], channels, axis=1)


def dots(n: int, height: int, width: int, row: int, column: int, value: int = 255) -> Images:
    images = np.zeros((n, 1, height, width), np.uint8)
    images[:, :, row, column] = value
    return images


def centres(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of the centre of mass of each image, in pixels."""
    mass = images.sum(axis=(1, 2, 3), dtype=np.float64)
    rows, columns = np.arange(images.shape[2]), np.arange(images.shape[3])
    return (images.sum(axis=(1, 3)) @ rows) / mass, (images.sum(axis=(1, 2)) @ columns) / mass


def test_there_are_fifteen() -> None:
    assert len(CORRUPTIONS) == 15


@NAMES
@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(1, 28, 28), (3, 28, 28), (1, 20, 33), (3, 41, 24), (1, 64, 64)],
)
def test_each_changes_every_digit_and_keeps_shape_and_kind(
    name: str, channels: int, height: int, width: int
) -> None:
    images = digits(10, channels, height, width)
    before = images.copy()
    changed = corrupted(name, images, seed=0)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert (images == before).all()
    assert (changed != images).any(axis=(1, 2, 3)).all()
    # and something is to be seen
    assert (changed != changed[:, :, :1, :1]).any(axis=(1, 2, 3)).all()


@NAMES
def test_the_seed_decides(name: str) -> None:
    images = digits(CHUNK + 10)
    once, again, other = (corrupted(name, images, seed) for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once == other).all() == (name in FIXED)


@NAMES
def test_each_image_is_changed_in_its_own_way(name: str) -> None:
    images = np.repeat(digits(1), CHUNK + 30, axis=0)
    kinds = len(np.unique(corrupted(name, images, seed=0).reshape(len(images), -1), axis=0))
    if name == "motion_blur":
        assert kinds > 30  # places are whole pixels, so angles next to each other are one
    else:
        few = {"shear": 2, "rotate": 2, "translate": 4}  # a direction is all they draw
        assert kinds == (1 if name in FIXED else few.get(name, len(images)))


@NAMES
@settings(deadline=None, max_examples=10)
@given(cuts=st.lists(st.integers(0, 2 * CHUNK + 9), max_size=3), seed=st.integers(0, 2**40))
def test_parts_of_a_set_make_the_whole(name: str, cuts: list[int], seed: int) -> None:
    images = digits(2 * CHUNK + 9, height=9, width=11)
    parts = [
        corrupted(name, images[start:stop], seed, start)
        for start, stop in pairwise([0, *sorted(cuts), len(images)])
    ]
    assert (np.concatenate(parts) == corrupted(name, images, seed)).all()


@NAMES
def test_other_images_change_nothing(name: str) -> None:
    images = digits(8)
    others = digits(8, seed=1)
    others[5] = images[5]
    assert (corrupted(name, images, seed=0)[5] == corrupted(name, others, seed=0)[5]).all()


@NAMES
@settings(deadline=None, max_examples=15)
@given(
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.sampled_from([0, 128, 255])
)
def test_any_size_and_plain_images(
    name: str, height: int, width: int, channels: int, value: int
) -> None:
    images = np.full((2, channels, height, width), value, np.uint8)
    changed = corrupted(name, images, seed=0)
    assert changed.shape == images.shape
    if value == 0 and name in BLACK_STAYS:
        assert not changed.any()


@NAMES
def test_no_images(name: str) -> None:
    assert corrupted(name, np.zeros((0, 1, 28, 28), np.uint8), seed=0).shape == (0, 1, 28, 28)


@pytest.mark.parametrize(
    "name",
    [
        "shear",
        "scale",
        "rotate",
        "translate",
        "glass_blur",
        "motion_blur",
        "stripe",
        "fog",
        "spatter",
        "zigzag",
    ],
)
def test_grey_stays_grey(name: str) -> None:
    changed = corrupted(name, digits(20, channels=3), seed=0)
    assert (changed == changed[:, :1]).all()
    assert (changed[:, :1] == corrupted(name, digits(20), seed=0)).all()


def test_unknown_names_and_wrong_kinds_are_refused() -> None:
    with pytest.raises(KeyError):
        corrupted("frost", digits(1), seed=0)
    with pytest.raises(AssertionError):
        corrupted("fog", digits(1).astype(np.float32), seed=0)  # type: ignore[arg-type]


def test_shot_noise_is_poissons() -> None:
    values = np.arange(0, 256, 51, dtype=np.uint8)
    changed = corrupted(
        "shot_noise", np.broadcast_to(values[:, None, None, None], (6, 1, 200, 200)), seed=0
    )
    photons = values / 255 * 3
    for image, mean in zip(changed, photons, strict=True):
        assert set(np.unique(image)) <= {0, 85, 170, 255}
        assert (image == 0).mean() == pytest.approx(np.exp(-mean), abs=0.01)
        assert (image == 85).mean() == pytest.approx(mean * np.exp(-mean), abs=0.01)
        assert (image == 170).mean() == pytest.approx(mean**2 / 2 * np.exp(-mean), abs=0.01)


def test_impulse_noise_makes_17_percent_black_or_white() -> None:
    changed = corrupted("impulse_noise", np.full((10, 3, 80, 80), 99, np.uint8), seed=0)
    assert set(np.unique(changed)) == {0, 99, 255}
    assert (changed == 0).mean() == pytest.approx(0.085, abs=0.004)
    assert (changed == 255).mean() == pytest.approx(0.085, abs=0.004)
    assert (changed[:, 0] != changed[:, 1]).any()


def test_glass_moves_light_a_little_and_loses_none() -> None:
    images = dots(500, 29, 29, 14, 14)
    changed = corrupted("glass_blur", images, seed=0)
    assert changed[:, :, :7].max() == changed[:, :, 22:].max() == 0
    assert changed.sum(axis=(1, 2, 3)).mean() == pytest.approx(255, rel=0.1)
    rows, columns = centres(changed)
    for centre in (rows - 14, columns - 14):
        assert abs(centre.mean()) < 0.1
        assert centre.std() > 0.2


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(0, 3),
    st.sampled_from([2, 3]),
    st.integers(0, 99),
)
def test_swapping_loses_no_pixel(
    height: int, width: int, distance: int, offset: int, axis: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    images = (
        generator.permutation(height * width * 2).reshape(2, 1, height, width).astype(np.float32)
    )
    changed = _pixels.swapped(images, axis, distance, offset, generator.random(images.shape) < 0.5)
    assert (np.sort(changed.reshape(2, -1)) == np.sort(images.reshape(2, -1))).all()
    still = _pixels.swapped(images, axis, distance, offset, np.zeros(images.shape, np.bool_))
    assert (still == images).all()


def test_motion_smears_to_one_side_within_45_degrees() -> None:
    changed = corrupted("motion_blur", dots(300, 29, 29, 14, 14), seed=0)
    rows, columns = (centre - 14 for centre in centres(changed))
    distance, angle = np.hypot(rows, columns), np.degrees(np.arctan2(-rows, -columns))
    assert (columns < 0).all()
    # the mean of 0 to 10 pixels with the weights of half a Gaussian of 3
    assert np.allclose(distance, 2.07, atol=0.4)
    assert -50 < angle.min() < -40
    assert 40 < angle.max() < 50
    white = np.full((3, 1, 28, 28), 255, np.uint8)
    assert (corrupted("motion_blur", white, seed=0) == 255).all()


@pytest.mark.parametrize(("height", "width"), [(29, 29), (29, 41)])
def test_shear_is_in_pixels_per_pixel_to_both_sides(height: int, width: int) -> None:
    row, column = height // 2, width // 2
    rows, columns = centres(corrupted("shear", dots(40, height, width, row + 5, column), seed=0))
    assert np.allclose(rows, row + 5, atol=1e-6)
    assert np.allclose(np.abs(columns - column), 2, atol=0.02)
    assert len(np.unique(columns.round())) == 2


def test_scale_is_relative_to_the_centre() -> None:
    block = np.zeros((1, 1, 29, 29), np.uint8)
    block[:, :, 13:16, 23:26] = 255  # 10 pixels right of the centre
    changed = corrupted("scale", block, seed=0)
    assert np.allclose(centres(changed), [[14], [21]], atol=0.1)
    assert changed.sum() == pytest.approx(block.sum() * 0.49, rel=0.15)


@pytest.mark.parametrize(("height", "width"), [(29, 29), (21, 41)])
def test_rotation_keeps_the_distance_and_has_its_angle(height: int, width: int) -> None:
    row, column = height // 2, width // 2
    images = np.zeros((40, 1, height, width), np.uint8)
    images[:, :, row - 1 : row + 2, column + 7 : column + 10] = 255
    rows, columns = centres(corrupted("rotate", images, seed=0))
    assert np.allclose(np.hypot(rows - row, columns - column), 8, atol=0.1)
    angle = np.arctan2(rows - row, columns - column)
    assert np.allclose(np.abs(angle), 0.4, atol=0.02)
    assert angle.min() < 0 < angle.max()


def test_brightness_raises_by_half_and_keeps_the_hue() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    changed = corrupted("brightness", grey, seed=0)
    assert np.abs(changed.astype(int) - np.minimum(grey + 127.5, 255)).max() <= 0.5
    colour = np.array([100, 50, 0], np.uint8).reshape(1, 3, 1, 1)
    assert corrupted("brightness", colour, seed=0).ravel().tolist() == [228, 114, 0]


@pytest.mark.parametrize(
    ("height", "width", "pixels"), [(28, 28, 3), (28, 50, 3), (56, 60, 6), (9, 9, 1)]
)
def test_translate_moves_the_centre_of_mass_and_nothing_else(
    height: int, width: int, pixels: int
) -> None:
    row, column = height // 2, width // 2
    changed = corrupted("translate", dots(100, height, width, row, column, value=77), seed=0)
    moved = {(y - row, x - column) for y, x in zip(*centres(changed), strict=True)}
    assert moved == {(y, x) for y in (-pixels, pixels) for x in (-pixels, pixels)}
    assert (changed.max(axis=(1, 2, 3)) == 77).all()


def test_stripe_inverts_the_outer_quarters() -> None:
    images = digits(5, height=20, width=28)
    changed = corrupted("stripe", images, seed=0)
    assert (changed[..., :7] == 255 - images[..., :7]).all()
    assert (changed[..., 21:] == 255 - images[..., 21:]).all()
    assert (changed[..., 7:21] == images[..., 7:21]).all()


def test_fog_is_smooth_and_takes_contrast() -> None:
    images = digits(300)
    changed = corrupted("fog", images, seed=0).astype(float)
    black = (images[:, 0] == 0).all(axis=0)[:3]  # rows at the top where no digit is
    assert black.all()
    assert changed[:, 0, :3].mean() == pytest.approx(255 * 0.75 * 0.5, rel=0.1)
    assert np.abs(np.diff(changed[:, 0, :3], axis=2)).mean() < 5
    assert changed[:, 0, :3].mean(axis=(1, 2)).std() > 20  # more and less of it
    assert (changed.max(axis=(1, 2, 3)) - changed.min(axis=(1, 2, 3))).mean() < 150


@pytest.mark.parametrize(("height", "width"), [(28, 28), (40, 20), (1, 1)])
def test_clouds_are_as_contrasty_as_those_of_mnist_c(height: int, width: int) -> None:
    clouds = _pixels.clouds(np.random.default_rng(0), 1000, height, width, 1.4)
    assert clouds.shape == (1000, 1, height, width)
    assert 0 <= clouds.min() <= clouds.max() <= 1
    # Those of the published code, over 300 maps: mean 0.51, deviation of the means 0.19, within an
    # image 0.056.
    assert clouds.mean() == pytest.approx(0.5, abs=0.03)
    assert clouds.mean(axis=(1, 2, 3)).std() == pytest.approx(0.19, abs=0.04)
    if height > 1:
        assert clouds.std(axis=(2, 3)).mean() == pytest.approx(0.056, abs=0.015)


def test_spatter_is_mud_of_one_shade() -> None:
    black = corrupted("spatter", np.zeros((50, 1, 28, 28), np.uint8), seed=0)
    white = corrupted("spatter", np.full((50, 1, 28, 28), 255, np.uint8), seed=0)
    mud = black > 0
    assert 0.02 < mud.mean() < 0.3
    assert (black[mud] >= 50).all()
    assert (black[mud] <= 63).all()
    assert (white[mud] < 102).all()
    assert (white[~mud] == 255).all()


def test_a_dotted_line_crosses_every_image() -> None:
    changed = corrupted("dotted_line", np.zeros((200, 1, 28, 28), np.uint8), seed=0)[:, 0]
    inked = (changed > 0).any(axis=1)
    assert (inked == (np.arange(28) % 4 >= 2)).all()
    rows = changed.argmax(axis=1)[:, np.arange(28) % 4 >= 2]
    assert np.abs(np.diff(rows, n=2, axis=1)).max() <= 5  # straight, but for whole pixels
    assert rows.min() == 0
    assert rows.max() == 27


def test_a_zigzag_goes_up_and_down() -> None:
    changed = corrupted("zigzag", np.zeros((200, 1, 60, 60), np.uint8), seed=0)[:, 0]
    columns = (changed > 0).any(axis=1).sum(axis=1)
    assert np.median(columns) == pytest.approx(60 - 2 * 2 * 60 / 28, abs=2)
    middle = changed[
        (changed.argmax(axis=1)[:, 10:50].min(axis=1) > 12)
        & (changed.argmax(axis=1)[:, 10:50].max(axis=1) < 48)
    ]
    assert len(middle) > 20
    rows = middle.argmax(axis=1)[:, 6:54]
    turns = (np.diff(np.sign(np.diff(rows[:, ::2], axis=1)), axis=1) != 0).sum(axis=1)
    assert turns.min() >= 3
    assert (rows.max(axis=1) - rows.min(axis=1)).max() <= 2 * 2 * 60 / 28 + 5 * 60 / 28 + 2


def test_edges_are_where_there_is_an_edge_and_only_there() -> None:
    images = np.zeros((3, 1, 28, 28), np.uint8)
    images[0, :, :, 14:] = 255
    images[1, :, 8:20, 8:20] = 200
    images[2] = 180
    changed = corrupted("canny_edges", images, seed=0)[:, 0]
    assert set(np.unique(changed)) == {0, 255}
    assert set(np.flatnonzero(changed[0].any(axis=0))) <= {13, 14}
    assert changed[0, 1:-1].any(axis=1).all()
    near = ndimage.binary_dilation(images[1, 0] > 0, iterations=1) & ~ndimage.binary_erosion(
        images[1, 0] > 0, iterations=2
    )
    assert changed[1].any()
    assert not (changed[1] > 0)[~near].any()
    assert not changed[1][12:16, 12:16].any()
    assert not changed[2].any()
    # the outermost pixels have no neighbours to be compared with
    assert not changed[:, [0, -1]].any()


def test_weak_edges_count_where_they_lead_to_strong_ones() -> None:
    generator = np.random.default_rng(0)
    edge = generator.random((50, 1, 15, 18)) < 0.45
    sure = edge & (generator.random(edge.shape) < 0.05)
    structure = np.zeros((3, 3, 3, 3))
    structure[1, 1] = 1  # within an image, also diagonally
    labels, _ = ndimage.label(edge, structure)
    assert (
        _pixels._connected(edge, sure) == (edge & np.isin(labels, np.unique(labels[sure])))
    ).all()


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.5])
@pytest.mark.parametrize(("height", "width"), [(28, 28), (3, 17), (1, 1)])
def test_blur_is_scipys(sigma: float, height: int, width: int) -> None:
    images = np.random.default_rng(0).random((3, 2, height, width), dtype=np.float32)
    expected = ndimage.gaussian_filter(
        images, (0, 0, sigma, sigma), mode="nearest", radius=round(4 * sigma)
    )
    assert np.allclose(_pixels.blurred(images, sigma), expected, atol=1e-5)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 999))
def test_warp_is_scipys(height: int, width: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = generator.random((2, 1, height, width), dtype=np.float32)
    matrix = generator.normal(size=(2, 2))
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    # SciPy gives up what lies less than a pixel outside, so the border is made first.
    framed = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    offset = centre + 2 - matrix @ (centre + 2)
    expected = [
        ndimage.affine_transform(image[0], matrix, offset, order=1, mode="constant")[2:-2, 2:-2]
        for image in framed
    ]
    assert np.allclose(_pixels.warped(images, matrix)[:, 0], expected, atol=1e-4)


def test_ten_thousand_images_take_seconds() -> None:
    images = digits(500)
    start = time.process_time()
    for name in CORRUPTIONS:
        corrupted(name, images, seed=0)
    assert (time.process_time() - start) * 20 < 12
