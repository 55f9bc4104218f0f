"""Images by class, in a folder, as the examples of a release line."""

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median_low
from typing import Any

from duli import machine
from duli.cli.convert import Found, readable, shown
from duli.errors import DataError
from duli.progress import progress

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
TRAIN, TEST, VALIDATION = ("train", "training"), ("test", "testing"), ("val", "valid", "validation")
LARGEST_SIDE = 64  # pixels that images are brought to at most, where nobody says another size
SMALLEST_SIDE = 4
MOST_PIXELS = 50_000_000  # of one image: more is a mistake, or an attack
GREY = {"1", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N"}
ORIENTATION = 0x0112  # EXIF's tag: from 5 on, the picture lies on its side
BROKEN = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError, struct.error, zlib.error)


def pictures(folder: Path, size: int | None) -> Found:
    """The images below `folder`, whose subfolders are classes; where these lie in folders called train and test, that split is kept.

    Raises `DataError` where there are none, or one is damaged. One image is in memory at a time, beside the pixels that are kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about what it reads nevertheless
        return _pictures(folder, size)


def _pictures(folder: Path, size: int | None) -> Found:
    places, notes = _places(folder)
    classes = sorted({readable(inner.name) for _, inner in places}, key=lambda name: (int(name) if name.isdecimal() else -1, name))
    every = [(split, readable(inner.name), path) for split, inner in places for path in _files(inner)]
    named = [one for one in every if one[2].suffix.lower() in ENDINGS]
    if not named:
        raise DataError(f"{folder} has no subfolders with images; make one for each class ({folder / 'CLASS' / 'image.png'})")
    others = sorted({path.suffix.lower() or path.name for _, _, path in every} - {*ENDINGS})
    notes += [f"{len(every) - len(named):,} files that are no images were left out ({shown(others, 5)})"] if others else []
    bare = sum(path.suffix.lower() in ENDINGS for path in folder.iterdir())
    notes += [f"{bare:,} images that lie in no class's folder were left out"] if bare else []
    empty = [name for name in classes if name not in {found for _, found, _ in named}]
    if empty:
        raise DataError(f"{folder} has no images in the folders of {shown(empty, 5)}; put some there, or remove the folders")
    shape, more = _shape([path for _, _, path in named], size)
    needed = 2 * len(named) * shape[0] * shape[1] * shape[2]  # kept, and in a table
    if needed > machine.available_bytes():
        raise DataError(
            f"{len(named):,} images of {shape[2]} x {shape[1]} pixels take {needed / 1e9:,.1f} GB of memory; take a smaller --size"
        )
    rows, blank = [], []
    for split, name, path in progress(named, "reading", unit="images"):
        content = _pixels(path, shape)
        if min(content) == max(content):
            blank.append(str(path.relative_to(folder)))
        else:
            rows.append((readable(str(path.relative_to(folder))), split, classes.index(name), content))
    notes += [*more, *([f"{len(blank):,} images of a single colour were left out ({shown(blank, 3)})"] if blank else [])]
    return Found("image", classes, shape, None, {}, [], _table(rows), notes)


def _places(folder: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """(published split, folder of a class) of each class, and what to say of it."""
    inner = _folders(folder)
    parts = {path: path.name.lower() for path in inner if path.name.lower() in (*TRAIN, *TEST, *VALIDATION) and _folders(path)}
    names = {*parts.values()}
    if not names & {*TRAIN} or not names - {*TRAIN}:
        return [("", path) for path in inner], []
    # Where nobody published a test split, what was published for validation is what results are compared on.
    tests = TEST if names & {*TEST} else VALIDATION
    split = {path: "test" if name in tests else "train" for path, name in parts.items()}
    notes = [f"the published split is kept: {', '.join(f'{path.name} as {part}' for path, part in split.items())}"]
    others = [path.name for path in inner if path not in parts]
    notes += [f"folders beside it were left out: {shown(others, 5)}"] if others else []
    return [(part, path) for outer, part in split.items() for path in _folders(outer)], notes


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def _files(folder: Path) -> list[Path]:
    """All files below; hidden ones are the operating system's. Links to folders are not followed: they may lead round in a circle."""
    inside = (path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return sorted(path for path in inside if path.is_symlink() or path.is_file())


def _shape(paths: list[Path], size: int | None) -> tuple[tuple[int, int, int], list[str]]:
    """Channels, height and width that all images are brought to, and what to say of it; from the heads of the files alone."""
    sizes: Counter[tuple[int, int]] = Counter()  # width, height
    modes, transparent = set(), 0
    for path in progress(paths, "looking at sizes", unit="images"):
        with _opened(path) as image:
            turned = image.getexif().get(ORIENTATION, 1) if "exif" in image.info or image.format == "TIFF" else 1
            sizes[image.size[::-1] if isinstance(turned, int) and turned >= 5 else image.size] += 1
            modes.add(image.mode)
            transparent += image.has_transparency_data
    width, height = next(iter(sizes))
    cut = ""
    if size:
        width = height = size
        cut = "" if all(one == other for one, other in sizes) else "cut to their middle square and "
    elif len(sizes) > 1:
        side = median_low(sorted(min(one) for one in sizes.elements()))
        width = height = max(SMALLEST_SIDE, min(LARGEST_SIDE, side))
        cut = "cut to their middle square and "
    elif max(width, height) > LARGEST_SIDE:
        scale = LARGEST_SIDE / max(width, height)
        width, height = (max(SMALLEST_SIDE, round(one * scale)) for one in (width, height))
    notes = []
    if {*sizes} != {(width, height)}:
        what = f"images of {len(sizes):,} sizes" if len(sizes) > 1 else "images of {} x {} pixels".format(*next(iter(sizes)))
        notes.append(f"{what} were {cut}brought to {width} x {height} pixels{'' if size else ' (--size takes another)'}")
    notes += [f"transparent parts became white, in {transparent:,} images"] if transparent else []
    return (1 if modes <= GREY else 3, height, width), notes


def _opened(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(path)
    except UnidentifiedImageError:
        raise DataError(f"{path} is no image, or a damaged one; mend it or take it out") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path} claims to have more than {MOST_PIXELS:,} pixels; make it smaller or take it out") from None
    except BROKEN as error:
        raise DataError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); mend it or take it out") from None
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise DataError(
            f"{path} claims to have {image.width:,} x {image.height:,} pixels, more than {MOST_PIXELS:,}; make it smaller or take it out"
        )
    return image


def _pixels(path: Path, shape: tuple[int, int, int]) -> bytes:
    """The bytes of an image, channels then rows then columns; turned as its camera was held, on white where it is transparent."""
    import numpy as np
    from PIL import Image, ImageOps

    channels, height, width = shape
    with _opened(path) as image:
        try:
            upright = _eight_bits(ImageOps.exif_transpose(image))
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
            upright = upright.convert("L" if channels == 1 else "RGB")
        except BROKEN as error:
            raise DataError(f"{path} is damaged ({error}); mend it or take it out") from None
    if upright.size != (width, height):
        smaller = min(upright.width / width, upright.height / height) >= 1
        # The mean of all pixels that become one; between them, where there are fewer.
        upright = ImageOps.fit(upright, (width, height), Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC)
    return np.asarray(upright, np.uint8).reshape(height, width, channels).transpose(2, 0, 1).tobytes()


def _eight_bits(image: Any) -> Any:
    """An image of at most 8 bits a channel; of 16 the upper ones stay."""
    import numpy as np
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its grey levels are no bytes, and what is white is not known; save it with 8 or 16 bits a channel")
    return image


def _table(rows: Iterable[tuple[str, str, int, bytes]]) -> Any:
    import pyarrow as pa

    from duli.datasets.own import schema

    fields = schema({})
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in fields]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)], schema=fields)
