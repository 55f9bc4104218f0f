"""Reads images of files nobody vouches for: .npy, IDX, JPEG and plain 8-bit PNG, each also as .gz; what a file is, its bytes say.

Nothing is allocated before the size a header claims is compared with the bytes that are there, and nothing is unpickled.
"""

import io
import math
import struct
import warnings
import zlib

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .npy import NPY, type_name
from .npy import header as npy_header
from .pixels import Shape, wrong_type
from .sources import content_of

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_HEADER = struct.Struct(">IIBBBBB")  # width, height, depth, colour, compression, filter, interlace
FORMATS = "a .npy, IDX, PNG or JPEG file (or one of them as .gz)"
OTHERS = {b"GIF8": "GIF", b"BM": "BMP", b"PK\x03\x04": "ZIP or .npz", b"II*\0": "TIFF", b"MM\0*": "TIFF"}

Images = NDArray[np.uint8]


def load(source: str, shape: Shape) -> Images:
    """The images of the file `source` ("-": standard input) for a model that takes `shape`; raises `InputError`."""
    return decode(content_of(source), shape)


def decode(content: bytes, shape: Shape) -> Images:
    """The images of a file's content that is not compressed as a whole."""
    if not content:
        raise InputError("is empty; give " + FORMATS)
    if content.startswith(NPY):
        return _npy(content)
    if content.startswith(PNG):
        return _png(content, shape)[None]
    if content.startswith(b"\0\0"):
        return _idx(content)
    if content.startswith(JPEG):
        return _jpeg(content, shape)[None]
    kind = next((name for magic, name in OTHERS.items() if content.startswith(magic)), None)
    raise InputError(f"is {f'a {kind} file' if kind else 'of no known kind'}; convert it to {FORMATS}")


def _idx(content: bytes) -> Images:
    kind, dimensions = content[2:4].ljust(2, b"\0")
    if kind != 0x08:
        raise InputError(f"is no IDX file of unsigned bytes (type 0x{kind:02x} instead of 0x08); give " + FORMATS)
    if dimensions not in (3, 4):
        what = "; with one dimension it is a file of labels" if dimensions == 1 else ""
        raise InputError(f"is an IDX file of {dimensions} dimension(s){what}; images have 3 (n, height, width) or 4")
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise InputError("is a truncated IDX file: it ends within its header; copy or download it again")
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
        raise InputError(f"is {what}: the header claims {list(shape)} = {claimed:,} pixels, {there:,} follow; copy or save it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape, order="F" if order == "F" else "C")


def _jpeg(content: bytes, shape: Shape) -> Images:
    """One image [channels, height, width]; Pillow, which an extra of the wheel brings, decodes it once its size is the model's."""
    try:
        from PIL import Image
    except ImportError:
        raise InputError(
            f"is a JPEG, which needs Pillow: pip install '{__package__.replace('_', '-')}[jpeg]', or convert it to PNG"
        ) from None
    channels, height, width = shape
    try:
        with warnings.catch_warnings(action="ignore"):  # of sizes that are refused below
            image = Image.open(io.BytesIO(content), formats=["JPEG"])
        if image.size == (width, height):
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"), np.uint8)
            return pixels.reshape(height, width, channels).transpose(2, 0, 1)
    except (OSError, ValueError, SyntaxError, TypeError, struct.error, Image.DecompressionBombError):
        raise InputError("is a damaged JPEG; save it again") from None
    raise InputError(f"is a JPEG of {image.size[0]} x {image.size[1]} pixels; resize it to {width} x {height}")


def _png(content: bytes, shape: Shape) -> Images:
    """One image [channels, height, width]; its size is the model's before anything is inflated, so no bomb can be."""
    channels, height, width = shape
    header, packed = _png_chunks(content)
    found_width, found_height, depth, colour, compression, filtering, interlace = PNG_HEADER.unpack(header)
    if (found_height, found_width) != (height, width):
        raise InputError(f"is a PNG of {found_width} x {found_height} pixels; resize it to {width} x {height}")
    if depth != 8 or colour not in (0, 2) or (compression, filtering, interlace) != (0, 0, 0):
        raise InputError("is a PNG of another kind than 8-bit grey or RGB, without palette, transparency or interlacing; convert it")
    found = 1 if colour == 0 else 3
    stride = width * found
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, height * (stride + 1) + 1)
    except zlib.error as error:
        raise InputError(f"is a damaged PNG ({error}); save it again") from None
    if len(raw) != height * (stride + 1) or not inflater.eof:
        raise InputError("is a damaged PNG: it holds fewer or more pixels than it says; save it again")
    pixels = _unfilter(raw, height, stride, found).reshape(height, width, found)
    if found == 3 and channels == 1:  # ITU-R 601 luma in 16-bit integers, as Pillow's convert("L")
        weights = np.array([19595, 38470, 7471], np.uint32)
        pixels = ((pixels @ weights + 0x8000) >> 16).astype(np.uint8)[..., None]
    return np.ascontiguousarray(np.broadcast_to(pixels, (height, width, channels)).transpose(2, 0, 1))


def _png_chunks(content: bytes) -> tuple[bytes, bytes]:
    """The header (IHDR) and the joined pixel data (IDAT), every checksum compared."""
    header, packed, position, kind = b"", [], len(PNG), b""
    while kind != b"IEND":
        length = int.from_bytes(content[position : position + 4], "big")
        end = position + 12 + length
        if end > len(content) or position + 12 > len(content):
            raise InputError("is a truncated PNG; copy or save it again")
        kind, body = content[position + 4 : position + 8], content[position + 8 : end - 4]
        if zlib.crc32(kind + body) != int.from_bytes(content[end - 4 : end], "big"):
            raise InputError("is a damaged PNG: a checksum does not match; copy or save it again")
        if kind == b"tRNS":
            raise InputError("is a PNG with transparency; save it without")
        if (kind == b"IHDR") == bool(header) or (kind == b"IHDR" and length != PNG_HEADER.size):
            raise InputError("is a damaged PNG: its header is not where it has to be; save it again")
        header = body if kind == b"IHDR" else header
        packed += [body] if kind == b"IDAT" else []
        position = end
    return header, b"".join(packed)


def _unfilter(raw: bytes, height: int, stride: int, step: int) -> Images:
    """Undoes PNG's five filters; `step` is the distance in bytes to the pixel on the left."""
    lines = np.frombuffer(raw, np.uint8).reshape(height, stride + 1)
    image = np.zeros((height + 1, stride), np.uint8)  # row 0 is the empty row above the first
    for row, line in enumerate(lines[:, 1:], start=1):
        above = image[row - 1]
        match int(lines[row - 1, 0]):
            case 0:
                image[row] = line
            case 1:  # each byte is the difference to the pixel on its left, modulo 256
                image[row] = line.reshape(-1, step).cumsum(axis=0, dtype=np.uint8).reshape(-1)
            case 2:
                image[row] = line + above
            case 3 | 4 as kind:
                image[row] = _predicted(line.tolist(), above.tolist(), step, paeth=kind == 4)
            case kind:
                raise InputError(f"is a damaged PNG: filter {kind} does not exist; save it again")
    return image[1:]


def _predicted(line: list[int], above: list[int], step: int, *, paeth: bool) -> list[int]:
    """One row whose bytes are differences to a mean (filter 3) or to Paeth's choice (filter 4) of their neighbours."""
    row: list[int] = []
    for index, value in enumerate(line):
        left, corner = (row[index - step], above[index - step]) if index >= step else (0, 0)
        up = above[index]
        if paeth:
            guess = left + up - corner
            base = min((left, up, corner), key=lambda near: abs(guess - near))
        else:
            base = (left + up) // 2
        row.append((value + base) % 256)
    return row
