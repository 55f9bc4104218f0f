"""Images in folders of their labels."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
from PIL import Image

from duli.base import machine
from duli.base.errors import DataError
from duli.base.progress import progress
from duli.intake.found import Read, Task, shown
from duli.intake.source import Source
from duli.serving.errors import InputError
from duli.serving.kinds.image import pictures
from duli.serving.sources import content_of, files_below, is_system, left_out, readable

TAKES = "a folder with a subfolder of images for each class"
USES = ("size",)  # of what the owner says
TRAIN, TEST, VALIDATION = ("train", "training"), ("test", "testing"), ("val", "valid", "validation")
LARGEST_SIDE = 64  # pixels that images are brought to at most, where nobody says another size
SMALLEST_SIDE = 4
GREY = {"1", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N"}
QUARTER = 64  # grey levels that the border of 99 in 100 pictures on one ground is off it at most


def takes(source: Source) -> bool:
    """Whether the source is a folder."""
    return source.place.is_dir()


def read(source: Source) -> Read:
    """The images below the folder, whose subfolders are labels; where these lie in folders called
    train and test, that split is kept.

    Raises `DataError` if there are none, or one is damaged. One image is in memory at a time,
    beside the pixels that are kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about what it reads nevertheless
        return _read(source.place, source.wanted.size, source.task)


def _read(folder: Path, size: int | None, task: Task) -> Read:
    places, notes = _places(folder)
    folders = Counter((split, readable(inner.name)) for split, inner in places)
    alike = sorted({name for (_, name), count in folders.items() if count > 1})
    notes += (
        [f"several folders are called so, and are one class: {shown(alike, 5)}"] if alike else []
    )
    every = [
        (split, readable(inner.name), path)
        for split, inner in places
        for path in files_below(inner)
    ]
    named = [one for one in every if one[2].suffix.lower() in pictures.ENDINGS]
    if not named:
        raise DataError(
            f"{folder} has no subfolders with images; make one for each class"
            f" ({folder / 'CLASS' / 'image.png'})"
        )
    hidden = sum(left_out(inner) for _, inner in places)
    notes += (
        [f"{hidden:,} files of the system, such as hidden ones, were left out"] if hidden else []
    )
    others = sorted(
        {path.suffix.lower() or path.name for _, _, path in every} - {*pictures.ENDINGS}
    )
    notes += (
        [f"{len(every) - len(named):,} files that are no images were left out ({shown(others, 5)})"]
        if others
        else []
    )
    bare = sum(path.suffix.lower() in pictures.ENDINGS for path in folder.iterdir())
    notes += [f"{bare:,} images that lie in no class's folder were left out"] if bare else []
    names = {readable(inner.name) for _, inner in places}
    _none_empty(folder, names - {name for _, name, _ in named}, "images")
    shape, depth, more = _shape([path for _, _, path in named], size)
    needed = 2 * len(named) * shape[0] * shape[1] * shape[2]  # kept, and in a table
    if needed > machine.available_bytes():
        raise DataError(
            f"{len(named):,} images of {shape[2]} x {shape[1]} pixels take {needed / 1e9:,.1f} GB"
            " of memory; take a smaller --size"
        )
    kept, contents, blank, borders = [], [], [], []
    for split, name, path in progress(named, "reading", unit="images"):
        image = _upright(path, depth)
        content = pictures.framed(image, shape).tobytes()
        place = str(path.relative_to(folder))
        if min(content) == max(content):
            blank.append(place)
        else:
            kept.append((readable(place), split, name))
            contents.append(content)
            borders += [pictures.border(image.convert("L"))] if shape[0] == 1 else []
    _none_empty(folder, names - {name for _, _, name in kept}, "images of several colours")
    facts, said = _ground(borders)
    facts |= {"depth": depth} if depth < 16 else {}
    notes += [
        *more,
        *said,
        *(
            [f"{len(blank):,} images of a single colour were left out ({shown(blank, 3)})"]
            if blank
            else []
        ),
    ]
    ids, splits, labels = (list(column) for column in zip(*kept, strict=True))
    own = {"shape": shape, **({"pictures": facts} if facts else {})}
    return Read(ids, splits, task.of_folders(labels, folder), contents, own, notes)


def _none_empty(folder: Path, names: set[str], what: str) -> None:
    if names:
        raise DataError(
            f"{folder} has no {what} in the folders of {shown(sorted(names), 5)}; put some there,"
            " or remove the folders"
        )


def _ground(borders: list[float]) -> tuple[dict[str, Any], list[str]]:
    """The ground of grey pictures with borders of this brightness: dark, light, or None if they
    differ.

    And what to say of it. One that stands on the other is a negative to the release; none of these.
    """
    levels = sorted(borders)
    few = len(levels) // 100
    for ground, far in (("dark", levels[::-1]), ("light", [255 - level for level in levels])):
        if far and far[0] < pictures.MIDDLE and far[few] < QUARTER:
            other = "light" if ground == "dark" else "dark"
            return {"ground": ground}, [
                f"all images stand on {ground} ground: of one on {other} ground the release takes"
                " the negative"
            ]
    return {}, []


def _places(folder: Path) -> tuple[list[tuple[str, Path]], list[str]]:
    """(published split, folder of a class) of each class, and what to say of it."""
    inner = _folders(folder)
    parts = {
        path: path.name.lower()
        for path in inner
        if path.name.lower() in (*TRAIN, *TEST, *VALIDATION) and _folders(path)
    }
    names = {*parts.values()}
    if not names & {*TRAIN} or not names - {*TRAIN}:
        return [("", path) for path in inner], []
    # Where nobody published a test split, what was published for validation is what results are
    # compared on.
    tests = TEST if names & {*TEST} else VALIDATION
    split = {path: "test" if name in tests else "train" for path, name in parts.items()}
    notes = [
        "the published split is kept:"
        f" {', '.join(f'{path.name} as {part}' for path, part in split.items())}"
    ]
    others = [path.name for path in inner if path not in parts]
    notes += [f"folders beside it were left out: {shown(others, 5)}"] if others else []
    return [(part, path) for outer, part in split.items() for path in _folders(outer)], notes


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_system(path.name))


def _shape(paths: list[Path], size: int | None) -> tuple[tuple[int, int, int], int, list[str]]:
    """Channels, height and width that images are brought to, bits of a grey level in files of 16.

    And what to say of it; from the heads of the files, and the grey levels of those of 16 bits.
    """
    sizes: Counter[tuple[int, int]] = Counter()  # width, height
    modes, transparent, deep, highest = set(), 0, 0, 0
    upper: list[int] = []  # the highest upper byte of each that has 16 bits a colour
    for path in progress(paths, "looking at sizes", unit="images"):
        with _naming(path), pictures.opened(path) as image:
            # Of a TIFF, Pillow says the size that it has when it is turned.
            lying = image.format != "TIFF" and pictures.orientation(image) >= 5
            sizes[image.size[::-1] if lying else image.size] += 1
            palette = np.array(image.getpalette() if image.mode == "P" else []).reshape(-1, 3)
            modes.add("L" if len(palette) and (palette == palette[:, :1]).all() else image.mode)
            transparent += image.has_transparency_data
            if image.mode.startswith("I;16"):
                deep += 1
                highest = max(highest, int(np.asarray(image).max()))
            elif any(str(tile.args).endswith(";16B") for tile in getattr(image, "tile", [])):
                upper.append(int(np.asarray(image.convert("RGB")).max()))
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
        what = (
            f"images of {len(sizes):,} sizes"
            if len(sizes) > 1
            else "images of {} x {} pixels".format(*next(iter(sizes)))
        )
        notes.append(
            f"{what} were {cut}brought to {width} x {height}"
            f" pixels{'' if size else ' (--size takes another)'}"
        )
    notes += [f"transparent parts became white, in {transparent:,} images"] if transparent else []
    depth = max(8, highest.bit_length()) if deep else 16
    if depth < 16:
        notes.append(
            f"{deep:,} images of 16 bits hold grey levels up to {highest:,}: they are read as of "
            f"{depth} bits, and so are those that the release is asked"
        )
    if upper and max(upper) < 128:
        notes.append(
            f"{len(upper):,} images of 16 bits a colour have at most {max(upper)} of 255 in the "
            "upper 8, which alone are read; save them with 8 bits a colour"
        )
    return (1 if modes <= GREY else 3, height, width), depth, notes


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Adds the name of the file to an error."""
    try:
        yield
    except InputError as error:
        raise DataError(f"{path} {error}, or take it out") from None
    except pictures.BROKEN as error:
        raise DataError(f"{path} cannot be read ({error}); mend it or take it out") from None


def _upright(path: Path, depth: int) -> Image.Image:
    with _naming(path):
        return pictures.upright(content_of(str(path)), depth)
