"""Reads untrusted image files: pictures, .npy and IDX, told apart by their bytes.

Nothing is allocated before the size a header claims is compared with the bytes that are there, and
nothing is unpickled.
"""

import math
import struct

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, NoExampleError
from ...npy import NPY, type_name
from ...npy import header as npy_header
from ...sources import content_of
from .pictures import ENDINGS, PLAIN, Rules, known, picture
from .pixels import Shape, wrong_type

FORMATS = "a picture (PNG, JPEG, WebP, GIF, BMP, TIFF), .npy or IDX file (or one of them as .gz)"

Images = NDArray[np.uint8]


def load(source: str, shape: Shape, rules: Rules = PLAIN) -> Images:
    """The images of the file `source` ("-": standard input) for a model that takes `shape`; raises
    `InputError`.
    """
    try:
        return decode(content_of(source), shape, rules)
    except NoExampleError as error:
        if source.lower().endswith(ENDINGS):  # it was meant to be one
            raise InputError(str(error)) from None
        raise


def decode(content: bytes, shape: Shape, rules: Rules = PLAIN, *, sent: bool = False) -> Images:
    """The images of a file's content: those of arrays as they are, a picture as [1, *shape].

    `sent`: by somebody who waits at the server, where fewer formats and smaller pictures are read.
    """
    if not content:
        raise InputError("is empty; give " + FORMATS)
    if content.startswith(NPY):
        return _npy(content)
    if content.startswith(b"\0\0"):
        return _idx(content)
    if known(content):
        return picture(content, shape, rules, sent=sent)[None]
    kind = " a ZIP or .npz file" if content.startswith(b"PK\x03\x04") else " of no known kind"
    raise NoExampleError(f"is{kind}; convert it to {FORMATS}")


def _idx(content: bytes) -> Images:
    kind, dimensions = content[2:4].ljust(2, b"\0")
    if kind != 0x08:
        raise InputError(
            f"is no IDX file of unsigned bytes (type 0x{kind:02x} instead of 0x08); give " + FORMATS
        )
    if dimensions not in (3, 4):
        what = "; with one dimension it is a file of labels" if dimensions == 1 else ""
        raise InputError(
            f"is an IDX file of {dimensions} dimension(s){what}; images have 3 (n, height, width)"
            " or 4"
        )
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise InputError(
            "is a truncated IDX file: it ends within its header; copy or download it again"
        )
    return _pixels(content, start, struct.unpack(f">{dimensions}I", content[4:start]))


def _npy(content: bytes) -> Images:
    kind, fortran, shape, start = npy_header(content)
    if (name := type_name(kind)) != "uint8":
        raise InputError(wrong_type(name))
    return _pixels(content, start, shape, "F" if fortran else "C")


def _pixels(content: bytes, start: int, shape: tuple[int, ...], order: str = "C") -> Images:
    claimed, there = math.prod(shape), len(content) - start
    if claimed != there:
        what = "truncated" if there < claimed else "longer than its header says"
        raise InputError(
            f"is {what}: the header claims {list(shape)} = {claimed:,} pixels, {there:,} follow;"
            " copy or save it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(
        shape, order="F" if order == "F" else "C"
    )
