"""Images move as the settings say, each by itself, and no further."""

import pytest
import torch
from torch import Tensor

from duli.training.augment import affine
from duli.training.params import Augmentation

STILL = {"rotate": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0}


def changed(images: Tensor, seed: int = 0, **settings: float) -> Tensor:
    return affine(images, Augmentation(**{**STILL, **settings}), torch.Generator().manual_seed(seed))


def dots(n: int, height: int, width: int, row: int, column: int) -> Tensor:
    images = torch.zeros(n, 1, height, width)
    images[:, :, row, column] = 200
    return images


def centres(images: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of the centre of mass of each image, in pixels."""
    mass = images.sum(dim=(1, 2, 3))
    rows, columns = torch.arange(images.shape[2]), torch.arange(images.shape[3])
    return (images.sum(dim=(1, 3)) * rows).sum(1) / mass, (images.sum(dim=(1, 2)) * columns).sum(1) / mass


def test_nothing_changes_without_settings() -> None:
    images = torch.rand(4, 3, 12, 17, generator=torch.Generator().manual_seed(0)) * 255
    assert torch.allclose(changed(images), images, atol=1e-3)


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
