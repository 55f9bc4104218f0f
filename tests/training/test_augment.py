"""Images move as the settings say, each by itself, and no further."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from duli.kinds.image.learning import augment
from duli.kinds.image.learning.params import Augmentation

STILL = {
    "rotate": 0.0,
    "scale": 0.0,
    "shear": 0.0,
    "shift": 0.0,
    "elastic": 0.0,
    "flip": 0.0,
    "erase": 0.0,
}
EVERYTHING = {
    "rotate": 20.0,
    "scale": 0.2,
    "shear": 0.2,
    "shift": 2.0,
    "elastic": 1.0,
    "flip": 0.5,
    "erase": 0.5,
}


def changed(images: Tensor, seed: int = 0, **settings: float) -> Tensor:
    return augment.changed(
        images, Augmentation(**{**STILL, **settings}), torch.Generator().manual_seed(seed)
    )


def dots(n: int, height: int, width: int, row: int, column: int) -> Tensor:
    images = torch.zeros(n, 1, height, width)
    images[:, :, row, column] = 200
    return images


def centres(images: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of the centre of mass of each image, in pixels."""
    mass = images.sum(dim=(1, 2, 3))
    rows, columns = torch.arange(images.shape[2]), torch.arange(images.shape[3])
    return (images.sum(dim=(1, 3)) * rows).sum(1) / mass, (images.sum(dim=(1, 2)) * columns).sum(
        1
    ) / mass


def test_nothing_changes_without_settings() -> None:
    images = torch.rand(4, 3, 12, 17, generator=torch.Generator().manual_seed(0)) * 255
    assert torch.equal(changed(images), images)


def test_settings_too_small_to_see_leave_the_images() -> None:
    images = torch.rand(4, 3, 12, 17, generator=torch.Generator().manual_seed(0)) * 255
    tiny = dict.fromkeys(EVERYTHING, 1e-7)  # of a flip or an erasure: one image in ten million
    assert torch.allclose(changed(images, **tiny), images, atol=1e-2)


@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 2**31))
def test_places_are_those_of_affine_grid(height: int, width: int, seed: int) -> None:
    matrix = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(seed))
    expected = functional.affine_grid(matrix, [3, 1, height, width], align_corners=False)
    assert torch.allclose(augment._grid(matrix, height, width), expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 32)])
def test_shift_is_in_pixels_along_both_axes(height: int, width: int) -> None:
    rows, columns = centres(changed(dots(500, height, width, 10, 12), shift=3.0))
    for moved in (rows - 10, columns - 12):
        assert moved.abs().max() <= 3.01
        assert moved.min() < -2.5
        assert moved.max() > 2.5
        assert len(moved.unique()) > 400


@pytest.mark.parametrize(("height", "width"), [(29, 29), (21, 41)])
def test_rotation_keeps_the_distance_and_is_in_degrees(height: int, width: int) -> None:
    row, column = height // 2, width // 2
    rows, columns = centres(changed(dots(500, height, width, row, column + 8), rotate=45.0))
    distance = torch.hypot(rows - row, columns - column)
    angle = torch.rad2deg(torch.atan2(rows - row, columns - column))
    assert (distance - 8).abs().max() < 0.3
    assert angle.abs().max() < 47
    assert angle.min() < -40
    assert angle.max() > 40


def test_scale_is_relative_to_the_centre() -> None:
    _, columns = centres(changed(dots(500, 29, 29, 14, 24), scale=0.2))
    moved = (columns - 14) / 10
    assert 1 / 1.2 - 0.03 < moved.min() < 0.87
    assert 1.15 < moved.max() < 1 / 0.8 + 0.03


@pytest.mark.parametrize(("height", "width"), [(29, 29), (21, 41)])
def test_shear_is_in_pixels_per_pixel(height: int, width: int) -> None:
    row, column = height // 2, width // 2
    rows, columns = centres(changed(dots(500, height, width, row + 8, column), shear=0.5))
    assert (rows - row - 8).abs().max() < 0.3
    assert 3.5 < (columns - column).abs().max() < 4.2


def test_what_comes_in_is_background() -> None:
    assert changed(torch.full((50, 1, 8, 8), 255.0), shift=4.0).amin(dim=(1, 2, 3)).max() < 255
    assert changed(torch.zeros(5, 1, 8, 8), shift=4.0, rotate=90.0).abs().max() == 0


def test_the_seed_decides() -> None:
    images = dots(8, 28, 28, 9, 9)
    assert torch.equal(changed(images, seed=1, shift=2.0), changed(images, seed=1, shift=2.0))
    assert not torch.equal(changed(images, seed=1, shift=2.0), changed(images, seed=2, shift=2.0))


def field(n: int, height: int, width: int, **settings: float) -> Tensor:
    """Where each pixel's content came from, relative to itself, in pixels [n, 2, height, width];
    read from ramps as images.
    """
    rows = torch.arange(float(height)).view(1, 1, -1, 1).expand(n, 1, height, width)
    columns = torch.arange(float(width)).view(1, 1, 1, -1).expand(n, 1, height, width)
    ramps = torch.cat((columns, rows), dim=1)
    return changed(ramps, **settings) - ramps


@pytest.mark.parametrize(("height", "width"), [(40, 40), (32, 64)])
@pytest.mark.parametrize("pixels", [0.5, 1.5])
def test_elastic_displacements_have_the_given_deviation_and_no_drift(
    height: int, width: int, pixels: float
) -> None:
    # near the border the ramp ends
    inner = field(600, height, width, elastic=pixels)[:, :, 10:-10, 10:-10]
    for moved in inner.unbind(1):
        assert abs(moved.mean().item()) < 0.05 * pixels
        # At the points of the grid the deviation is the setting; between them an interpolation is
        # calmer.
        assert 0.6 * pixels < moved.std().item() < 1.05 * pixels
        assert moved.mean(dim=(1, 2)).std() > 0.1 * pixels  # each image its own


def test_elastic_displacements_are_smooth() -> None:
    inner = field(100, 40, 40, elastic=1.0)[:, :, 10:-10, 10:-10]
    assert inner.diff(dim=3).std() < 0.25
    assert inner.diff(dim=2).std() < 0.25


@pytest.mark.parametrize("channels", [1, 3])
def test_the_share_that_is_mirrored_is_mirrored_left_to_right(channels: int) -> None:
    images = torch.rand(800, channels, 6, 9, generator=torch.Generator().manual_seed(0))
    flipped = changed(images, flip=0.3)
    mirrored = (flipped == images.flip(3)).flatten(1).all(dim=1)
    kept = (flipped == images).flatten(1).all(dim=1)
    assert torch.equal(mirrored, ~kept)
    assert abs(mirrored.float().mean().item() - 0.3) < 0.05
    assert torch.equal(changed(images, flip=1.0), images.flip(3))


def test_without_flips_the_random_numbers_are_those_of_a_recipe_that_knows_none() -> None:
    """A recipe from before there were flips goes on giving the same weights."""
    images = torch.rand(5, 1, 12, 17, generator=torch.Generator().manual_seed(0)) * 255
    generator, expected = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    augment.changed(images, Augmentation(**{**EVERYTHING, "flip": 0.0, "erase": 0.0}), generator)
    (
        torch.rand(5, 5, generator=expected),
        torch.randn(5, 2, augment.CELLS, augment.CELLS, generator=expected),
    )
    assert torch.equal(generator.get_state(), expected.get_state())
    # The flips are drawn after the rest, so that the other changes of an image stay what they were.
    moves = {**EVERYTHING, "elastic": 0.0, "erase": 0.0}
    flipped, plain = (
        augment.changed(
            images, Augmentation(**{**moves, "flip": share}), torch.Generator().manual_seed(4)
        )
        for share in (1.0, 0.0)
    )
    assert torch.equal(
        augment.changed(
            images.flip(3), Augmentation(**{**moves, "flip": 1.0}), torch.Generator().manual_seed(4)
        ),
        plain,
    )
    assert not torch.equal(flipped, plain)


def test_erased_rectangles_lie_inside_and_are_as_large_and_as_many_as_the_paper_says() -> None:
    white = torch.full((4000, 2, 20, 30), 200.0)
    black = (changed(white, erase=0.4) == 0).float()
    assert torch.equal(black[:, 0], black[:, 1])
    erased = black[:, 0][black[:, 0].flatten(1).any(dim=1)]
    assert abs(len(erased) / 4000 - 0.4) < 0.03
    rows, columns = erased.amax(dim=2), erased.amax(dim=1)
    assert torch.equal(erased, rows.unsqueeze(2) * columns.unsqueeze(1))
    for sides in (rows, columns):  # one run of pixels each, anywhere from the first to the last
        assert (sides.diff(dim=1).clamp(min=0).sum(dim=1) + sides[:, 0] == 1).all()
        assert sides.mean(dim=0).min() > 0.05
    share = erased.mean(dim=(1, 2))
    assert 0.01 < share.min() < 0.03
    assert 0.36 < share.max() < 0.42
    assert abs(share.mean().item() - 0.21) < 0.01
    ratio = rows.sum(dim=1) / columns.sum(dim=1)
    assert ratio.min() < 0.4
    assert ratio.max() > 2.4
    assert torch.equal(changed(white[:50], erase=1.0).amin(dim=(1, 2, 3)), torch.zeros(50))


def test_without_erasure_the_other_changes_stay_what_they_were() -> None:
    images = torch.rand(30, 1, 12, 17, generator=torch.Generator().manual_seed(0)) * 255
    erased, whole = (changed(images, **{**EVERYTHING, "erase": share}) for share in (1.0, 0.0))
    kept = erased != 0
    assert torch.equal(erased[kept], whole[kept])
    assert 0.5 < kept.float().mean() < 0.95


@given(cuts=st.lists(st.integers(0, 9), max_size=4), seed=st.integers(0, 2**31))
def test_parts_of_a_step_make_the_whole(cuts: list[int], seed: int) -> None:
    images = torch.rand(9, 1, 10, 14, generator=torch.Generator().manual_seed(1)) * 255
    settings = Augmentation(**EVERYTHING)
    whole = augment.changed(images, settings, torch.Generator().manual_seed(seed))
    borders = [0, *sorted(cuts), 9]
    for start, stop in pairwise(borders):
        generator = torch.Generator().manual_seed(seed)
        part = augment.changed(images[start:stop], settings, generator, slice(start, stop), 9)
        assert torch.allclose(part, whole[start:stop], atol=1e-3)
    assert not torch.allclose(whole, images)


def test_every_part_draws_as_many_numbers() -> None:
    images = torch.rand(9, 1, 10, 14)
    for settings in (STILL, EVERYTHING):
        states = []
        for part in (slice(0, 4), slice(4, 9), slice(4, 4)):
            generator = torch.Generator().manual_seed(0)
            augment.changed(images[part], Augmentation(**settings), generator, part, 9)
            states.append(generator.get_state())
        assert torch.equal(states[0], states[1])
        assert torch.equal(states[0], states[2])
