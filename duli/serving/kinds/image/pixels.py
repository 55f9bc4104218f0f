"""Pixels in untrusted JSON: nothing is cast, and only shapes of an image are accepted."""

from functools import lru_cache
from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bodies import bounded, kind_of
from ...errors import InputError

NUMBERS = "pixels are whole numbers from 0 to 255"
MAX_DIMENSIONS = 4

Shape = tuple[int, int, int]  # channels, height, width


@lru_cache(maxsize=8)
def forms(shape: Shape) -> tuple[tuple[int, ...], ...]:
    """The ways to nest an image: as the model takes it, flat, or without the axis of a single
    channel.
    """
    return tuple(dict.fromkeys([shape, (prod(shape),), *([shape[1:]] if shape[0] == 1 else [])]))


def pixels(nested: Any, shape: Shape, what: str, *, truths: bool) -> NDArray[np.uint8]:
    """Lists of whole numbers 0..255 as [n, channels, height, width]; `what` names them in the
    `InputError` for anything else.

    They may be nested as the model takes them, without the axis of a single channel, or as one flat
    row for each image. `truths`: whether truth values may be among them, which costs a look at
    each.
    """
    if not isinstance(nested, list):
        raise InputError(f"{what} is a {kind_of(nested)}; give a list of images")
    sizes, flat = [len(nested)], nested
    while flat and type(flat[0]) is list:
        if len(sizes) == MAX_DIMENSIONS:
            raise InputError(
                f"{what} holds lists nested deeper than {MAX_DIMENSIONS}; give {_expected(shape)}"
            )
        if set(map(type, flat)) != {list}:
            raise InputError(f"{what} mixes lists and numbers; give {_expected(shape)}")
        width, *others = set(map(len, flat))
        if others:
            raise InputError(f"{what} holds rows of different lengths; give {_expected(shape)}")
        sizes.append(width)
        flat = list(chain.from_iterable(flat))
    return flat_pixels(flat, sizes, shape, what, truths=truths)


def flat_pixels(
    flat: list[Any], sizes: list[int], shape: Shape, what: str, *, truths: bool
) -> NDArray[np.uint8]:
    """A flat list of whole numbers 0..255 that stands for an array of `sizes`."""
    if not sizes or tuple(sizes[1:]) not in forms(shape):
        raise InputError(f"{what} has the shape {sizes}; give {_expected(shape)}")
    bounded(sizes[0], what, "images")
    if prod(sizes) != len(flat):
        raise InputError(
            f"{what} holds {len(flat):,} numbers, its shape {sizes} asks for {prod(sizes):,}"
        )
    if truths and bool in map(type, flat):
        raise InputError(f"{what} holds a truth value among its pixels; give whole numbers")
    try:
        content = bytes(flat)
    except TypeError:
        return flat_pixels(_integers(flat, what), sizes, shape, what, truths=False)
    except ValueError:
        raise InputError(f"{what} holds a number below 0 or above 255; pixels are 0..255") from None
    return np.frombuffer(content, np.uint8).reshape(-1, *shape)


def _integers(flat: list[Any], what: str) -> list[int]:
    """`flat` with whole floats as integers: JSON makes no difference between 235 and 235.0.

    Raises `InputError` for what is no number, for fractions, and where the highest is 1.0: white,
    of a picture scaled to 0..1.
    """
    for one in flat:
        if type(one) not in (int, float):
            raise InputError(f"{what} holds a {kind_of(one)} among its pixels; give whole numbers")
    if not all(map(float.is_integer, map(float, flat))) or max(flat) == 1:
        raise InputError(f"{what}: {wrong_type('float64')}")
    return list(map(int, flat))


def _expected(shape: Shape) -> str:
    channels, height, width = shape
    return (
        f"[n, {channels}, {height}, {width}]"
        + (f" or [n, {height}, {width}]" if channels == 1 else "")
        + f" or [n, {prod(shape)}]"
    )


def wrong_type(dtype: str) -> str:
    """The error for pixels that are not uint8."""
    remedy = {
        "f": "if they are 0..1, give (images * 255).round().astype('uint8')",
        "b": "give images.astype('uint8') * 255",
        "i": "if they are 0..255, give images.astype('uint8')",
        "u": "if they are 0..255, give images.astype('uint8')",
    }.get(dtype[:1], "give an array of uint8")
    return f"the pixels are {dtype}, the model takes uint8, 0..255; {remedy}"
