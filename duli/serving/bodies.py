"""Reads JSON that nobody vouches for into pixels: its depth is known before it is parsed, and nothing is cast."""

import json
import re
from itertools import chain
from math import prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .predictor import wrong_type

MAX_DEPTH = 16  # brackets within brackets; a batch of images has 7
MAX_IMAGES = 256  # in one request
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))

Shape = tuple[int, int, int]  # channels, height, width


def document(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises `InputError` for anything else, NaN, Infinity and what is nested too deeply included."""
    if not body:
        raise InputError("the request has no body; send a JSON object")
    brackets = STRING.sub(b"", body).translate(None, NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    else:
        if brackets:
            raise InputError(f"the JSON is nested deeper than {MAX_DEPTH} brackets, or they do not match; send images as plain lists")
    try:
        parsed = json.loads(body, parse_constant=_no_number)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        where = f" ({error.msg} at character {error.pos:,})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"the body is no JSON in UTF-8{where}; correct it") from None
    if not isinstance(parsed, dict):
        raise InputError(f"the body is a JSON {_kind(parsed)}; send an object")
    return parsed


def _no_number(text: str) -> NoReturn:
    raise InputError(f"the JSON holds {text}, which is no number; pixels are whole numbers from 0 to 255")


def pixels(nested: Any, shape: Shape, what: str) -> NDArray[np.uint8]:
    """Lists of whole numbers 0..255 as [n, channels, height, width]; `what` names them in the `InputError` for anything else.

    They may be nested as the model takes them, without the axis of a single channel, or as one flat row for each image.
    """
    if not isinstance(nested, list):
        raise InputError(f"{what} is a {_kind(nested)}; give a list of images")
    sizes, flat = [len(nested)], nested
    while flat and type(flat[0]) is list:
        if not all(type(row) is list for row in flat):
            raise InputError(f"{what} mixes lists and numbers; give {_expected(shape)}")
        width, *others = {len(row) for row in flat}
        if others:
            raise InputError(f"{what} holds rows of different lengths; give {_expected(shape)}")
        sizes.append(width)
        flat = list(chain.from_iterable(flat))
    return flat_pixels(flat, sizes, shape, what)


def flat_pixels(flat: list[Any], sizes: list[int], shape: Shape, what: str) -> NDArray[np.uint8]:
    """A flat list of whole numbers 0..255 that stands for an array of `sizes`."""
    per_image = prod(shape)
    if not sizes or tuple(sizes[1:]) not in ({shape, (per_image,)} | ({shape[1:]} if shape[0] == 1 else set())):
        raise InputError(f"{what} has the shape {sizes}; give {_expected(shape)}")
    if not 0 < sizes[0] <= MAX_IMAGES:
        raise InputError(f"{what} holds {sizes[0]:,} images; give 1 to {MAX_IMAGES} at once")
    if prod(sizes) != len(flat):
        raise InputError(f"{what} holds {len(flat):,} numbers, its shape {sizes} asks for {prod(sizes):,}")
    kinds = set(map(type, flat))
    if kinds != {int}:
        if float in kinds:
            raise InputError(f"{what}: " + wrong_type("float64"))
        raise InputError(f"{what} holds a {_kind(next(one for one in flat if type(one) is not int))} among its pixels; give whole numbers")
    try:
        content = bytes(flat)
    except ValueError:
        raise InputError(f"{what} holds a number below 0 or above 255; pixels are 0..255") from None
    return np.frombuffer(content, np.uint8).reshape(-1, *shape)


def _expected(shape: Shape) -> str:
    channels, height, width = shape
    return f"[n, {channels}, {height}, {width}]" + (f" or [n, {height}, {width}]" if channels == 1 else "") + f" or [n, {prod(shape)}]"


def _kind(value: Any) -> str:
    kinds = {dict: "object", list: "list", str: "string", bool: "truth value", type(None): "null"}
    return kinds.get(type(value), "number")
