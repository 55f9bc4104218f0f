"""Random augmentation of training images, a whole batch at a time, on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from duli.kinds.image.learning.params import Augmentation

# Of an erased rectangle: share of the image, and height to width, uniform between these; Zhong et
# al., "Random Erasing Data Augmentation", arXiv 1708.04896 (who draw the ratio below 1, and its
# inverse as often).
ERASED, RATIO = (0.02, 0.4), (0.3, 1 / 0.3)
CELLS = 5  # displacements are drawn on a grid of this many points a side, and interpolated


def changed(
    images: Tensor,
    settings: Augmentation,
    generator: torch.Generator,
    part: slice = slice(None),
    of: int | None = None,
) -> Tensor:
    """Each of `images` (bytes or floats [n, channels, height, width], 0 is background) mirrored,
    moved, bent, erased in part, as floats.

    Rotation, scale, shear and shift are uniform between plus and minus the settings; the elastic
    displacements are normal and smooth (the field drawn coarsely and interpolated bicubically, for
    the Gaussian blur of Simard, Steinkraus and Platt, ICDAR 2003). What comes in from outside is
    background, and so is an erased rectangle, which lies inside the image. The few random numbers
    are drawn on the CPU (`generator`), and for all `of` examples of the step even where these
    images are only its `part`: so that every device, and any number of them, sees the same.
    """
    images = images.float()
    count = len(images) if of is None else of
    affine = torch.rand(5, count, generator=generator)[:, part] * 2 - 1
    bend = (
        torch.randn(count, 2, CELLS, CELLS, generator=generator)[part] if settings.elastic else None
    )
    if settings.flip:
        mirrored = (
            (torch.rand(count, generator=generator)[part] < settings.flip)
            .view(-1, 1, 1, 1)
            .to(images.device, non_blocking=True)
        )
        images = torch.where(mirrored, images.flip(3), images)
    # Drawn last, so that the other augmentations of an image do not depend on it.
    erasure = torch.rand(5, count, generator=generator)[:, part] if settings.erase else None
    if any(
        (settings.rotate, settings.scale, settings.shear, settings.shift, settings.elastic)
    ) and len(images):
        images = _moved(images, settings, affine, bend)
    if erasure is not None:
        images = images * ~_rectangles(erasure, settings.erase, *images.shape[2:]).unsqueeze(1).to(
            images.device, non_blocking=True
        )
    return images


def _moved(images: Tensor, settings: Augmentation, affine: Tensor, bend: Tensor | None) -> Tensor:
    _, _, height, width = images.shape
    matrix = _matrix(affine, settings, height, width).to(images.device, non_blocking=True)
    grid = _grid(matrix, height, width)
    if bend is not None:
        # grid_sample counts in half sides, from -1 to 1: two of them make a side's pixels.
        pixels = torch.tensor([2 / width, 2 / height]).view(1, 2, 1, 1) * settings.elastic
        smooth = functional.interpolate(
            (bend * pixels).to(images.device),
            size=(height, width),
            mode="bicubic",
            align_corners=True,
        )
        grid = grid + smooth.permute(0, 2, 3, 1)
    return functional.grid_sample(images, grid, align_corners=False)


def _rectangles(random: Tensor, share: float, height: int, width: int) -> Tensor:
    """Random numbers [5, n] between 0 and 1 -> which pixels [n, height, width] are erased: in
    `share` of the images, one rectangle.
    """
    whether, area, ratio, top, left = random
    size = (ERASED[0] + area * (ERASED[1] - ERASED[0])) * height * width
    # uniform in its logarithm: as often upright as lying
    longer = RATIO[0] * (RATIO[1] / RATIO[0]) ** ratio
    sides = [
        (side.round().clamp(max=most), most)
        for side, most in (((size * longer).sqrt(), height), ((size / longer).sqrt(), width))
    ]
    inside = []
    for (side, most), start in zip(sides, (top, left), strict=True):
        first = (start * (most - side + 1)).floor().unsqueeze(1)
        place = torch.arange(most)
        inside.append((place >= first) & (place < first + side.unsqueeze(1)))
    rows, columns = inside
    erased: Tensor = rows.unsqueeze(2) & columns.unsqueeze(1) & (whether < share).view(-1, 1, 1)
    return erased


def _matrix(random: Tensor, settings: Augmentation, height: int, width: int) -> Tensor:
    """Random numbers [5, n] between -1 and 1 -> matrices [n, 2, 3] from places (x, y, 1) in the new
    image to places in the old one.
    """
    rotate, scale, shear, x, y = random
    angle = rotate * math.radians(settings.rotate)
    size = 1 + scale * settings.scale
    cosine, sine = torch.cos(angle) * size, torch.sin(angle) * size
    # Places are counted in half sides, from -1 to 1; rotating an image that is not square needs the
    # ratio of its sides.
    ratio = height / width
    return torch.stack(
        (
            torch.stack(
                (cosine, (shear * settings.shear - sine) * ratio, x * settings.shift * 2 / width),
                dim=1,
            ),
            torch.stack((sine / ratio, cosine, y * settings.shift * 2 / height), dim=1),
        ),
        dim=1,
    )


def _grid(matrix: Tensor, height: int, width: int) -> Tensor:
    """The result of `affine_grid`, [n, height, width, 2], by one matrix product: its n small
    products take 16 times as long.
    """
    x, y = (
        (torch.arange(side, device=matrix.device) * 2 + 1) / side - 1 for side in (width, height)
    )
    places = torch.stack(
        (
            x.repeat(height),
            y.repeat_interleave(width),
            torch.ones(height * width, device=matrix.device),
        )
    )
    return (matrix.reshape(-1, 3) @ places).view(-1, 2, height, width).permute(0, 2, 3, 1)
