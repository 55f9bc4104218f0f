"""Decodes picture files into pixels: one way for training, the command, the server and its page.

A picture is turned as its EXIF says, laid on white where it is transparent, and brought to 8 bits.
Of an animation the first frame counts. What the pictures of a data set have in common (`Rules`) is
then done to it, and its size changed last. Nothing is decoded before its size is known, and only
what Pillow needs of a PNG or JPEG reaches it, so that time grows no faster than the file.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

# The plugins are named, or Pillow would load all it has in search of them.
from PIL import (
    Image,
    ImageOps,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from ...errors import InputError

MOST_PIXELS = 50_000_000  # of one picture: more is a mistake, or an attack
MOST_SIDE = 32_767  # pixels
MOST_SCANS = 32  # of a JPEG, each of which may cost as much as the whole picture
MOST_SEGMENTS = 65_536  # before the pixels of a JPEG
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MAGIC = {
    PNG: "PNG",
    JPEG: "JPEG",
    b"RIFF": "WEBP",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
FORMATS = tuple(dict.fromkeys(MAGIC.values()))
# What the server is sent, and pixels at most: it does nothing else meanwhile. The readers of the
# other formats are Python, and slow on purpose-made files.
SENT = {"PNG": 4_000_000, "JPEG": 16_000_000, "WEBP": 4_000_000}
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
HEADS = (b"IHDR", b"PLTE", b"tRNS")  # chunks of a PNG that its pixels are read by
ORIENTATION, SHORT = 0x0112, 3  # EXIF's tag, and its type
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MIDDLE = 127.5  # a border lighter than this is light ground
INK = 24  # of 255; fainter pixels are ground
BOX = 20 / 28  # share of the field that a digit's longer side fills in MNIST
BROKEN = (  # what Pillow raises for files that are not what they say
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    AttributeError,
    struct.error,
    zlib.error,
)

Shape = tuple[int, int, int]  # channels, height, width
Pixels = NDArray[np.uint8]


class Rules(NamedTuple):
    """The common properties of a data set's pictures, to which others are brought.

    `ground`: dark or light, of grey pictures; one that stands on the other becomes its negative.
    `framing`: centred (as MNIST's digits) or whole (nothing is cut off); None cuts the middle out.
    `depth`: bits of a grey level in files of 16 bits.
    """

    ground: str | None = None
    framing: str | None = None
    depth: int = 16

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Rules":
        """The rules that a release or a data set states."""
        return cls(**{name: facts[name] for name in cls._fields if facts.get(name) is not None})

    def said(self, grey: bool) -> str:
        """The treatment of a picture file in words; `grey`: for a model of one channel."""
        deep = f"; grey levels of 16 bits are read as of {self.depth}" if self.depth < 16 else ""
        size = {
            "centred": (
                "centred as MNIST's digits: the ink's longer side fills 20 of 28 pixels, its centre"
                " of mass in the middle"
            ),
            "whole": "scaled so that all of it is in the frame",
        }.get(self.framing or "", "scaled, and cut to its middle")
        if grey and self.ground:
            other = "light" if self.ground == "dark" else "dark"
            negative = (
                f"A grey picture whose border is {other} becomes its negative, because the data"
                f" set's stand on {self.ground} ground."
            )
        else:
            negative = "None becomes its negative: the data set's have no ground in common."
        return (
            "A picture is turned as its EXIF says, laid on white where it is transparent, and "
            f"brought to 8 bits{deep}. {negative} One of another size than the model's is {size}; "
            "smaller by the mean of pixels, larger by bicubic interpolation."
        )


PLAIN = Rules()


def known(content: bytes) -> str | None:
    """The one of `FORMATS` that the bytes have."""
    name = next((name for magic, name in MAGIC.items() if content.startswith(magic)), None)
    return None if name == "WEBP" and content[8:12] != b"WEBP" else name


def picture(content: bytes, shape: Shape, rules: Rules = PLAIN, *, sent: bool = False) -> Pixels:
    """The pixels [channels, height, width] of a picture file's content.

    `sent`: by somebody who waits at the server, where less is read. Raises `InputError`.
    """
    return framed(upright(content, rules.depth, sent=sent), shape, rules)


def upright(content: bytes, depth: int = 16, *, sent: bool = False) -> Image.Image:
    """The picture as people see it, of its own size, in mode L or RGB; raises `InputError`."""
    name = known(content)
    if name is None or (sent and name not in SENT):
        found = f"a {name} file" if name else "no picture"
        raise InputError(f"is {found}; convert it to PNG or JPEG")
    needed, exif = _sieved(content, name)
    image = opened(io.BytesIO(needed), (name,), SENT[name] if sent else MOST_PIXELS)
    try:
        with warnings.catch_warnings(action="ignore"):  # Pillow's, about what it reads nevertheless
            image.load()
            turn = TURNS.get(_turned(exif) if exif else orientation(image))
            return _plain(image if turn is None else image.transpose(turn), depth)
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"is a damaged {name} ({_said(error)}); save it again") from None


def opened(
    file: BinaryIO | Path, formats: Iterable[str] = FORMATS, most: int = MOST_PIXELS
) -> Image.Image:
    """A picture of which only the head was read.

    Raises `InputError` if it is none, or claims to have more than `most` pixels.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(file, formats=[*formats])
    except Image.DecompressionBombError:
        raise InputError(f"claims to have more than {most:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise InputError("is no picture, or a damaged one; save it again") from None
    except BROKEN as error:
        raise InputError(f"cannot be read ({_said(error)}); save it again") from None
    width, height = image.size
    if width * height > most or max(width, height) > MOST_SIDE:
        image.close()
        raise InputError(
            f"claims to have {width:,} x {height:,} pixels, more than {most:,}, or a side of more"
            f" than {MOST_SIDE:,}; make it smaller"
        )
    return image


def _said(error: BaseException) -> str:
    """A library's message about a file, in one line."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).splitlines()[0][:100]


def _plain(image: Image.Image, depth: int) -> Image.Image:
    """The picture in mode L or RGB, with 8 bits a channel and no transparency."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        levels = np.minimum(values >> (depth - 8), 255).astype(np.uint8)
        if isinstance(clear := image.info.get("transparency"), int):
            levels[values == clear] = 255
        return Image.fromarray(levels)
    if image.mode in ("I", "F"):
        raise InputError("has grey levels that are no bytes; save it with 8 or 16 bits a channel")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")


def framed(image: Image.Image, shape: Shape, rules: Rules = PLAIN) -> Pixels:
    """The pixels [channels, height, width] of what `upright` gave."""
    channels, height, width = shape
    image = image.convert("L" if channels == 1 else "RGB")
    ground = rules.ground if channels == 1 else None
    if ground and (border(image) > MIDDLE) == (ground == "dark"):
        image = _negative(image, dark=ground == "dark")
    if image.size != (width, height):
        smaller = min(image.width / width, image.height / height) >= 1
        # The mean of all pixels that become one; between them, where there are fewer.
        method = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
        if rules.framing == "centred" and ground == "dark":
            image = _centred(image, (width, height))
        elif rules.framing == "whole":
            fill = "black" if ground == "dark" else "white"
            image = ImageOps.pad(image, (width, height), method, fill)
        else:
            image = ImageOps.fit(image, (width, height), method)
    return np.asarray(image, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def border(image: Image.Image) -> float:
    """The mean of the outermost pixels of a grey picture, 0..255."""
    return float(_ring(image).mean())


def _ring(image: Image.Image) -> Pixels:
    pixels = np.asarray(image, np.uint8)
    return np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])


def _negative(image: Image.Image, *, dark: bool) -> Image.Image:
    """The negative of a grey picture, with a ground of black (or white): paper is seldom white."""
    ground = int(np.median(_ring(image)))
    lift = ground if dark else ground + 255
    return image.point([min(255, max(0, lift - level)) for level in range(256)])


def _centred(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in the layout of MNIST: the ink's longer side fills 20 of 28 pixels, and its mass
    is in the middle.
    """
    width, height = size
    image.thumbnail((10 * width, 10 * height), Image.Resampling.BOX, reducing_gap=None)
    ink = np.asarray(image, np.float32)
    ink = np.where(ink >= INK, ink, 0)
    across, down = ink.sum(axis=0), ink.sum(axis=1)
    if not across.any():
        return Image.new("L", size)
    longer = max(np.ptp(np.flatnonzero(across)), np.ptp(np.flatnonzero(down))) + 1
    step = longer / (BOX * min(size))  # pixels that become one
    around = int(step * max(size)) + 1  # so that the field lies within
    x, y = (
        float(mass @ (np.arange(len(mass)) + 0.5) / mass.sum()) + around for mass in (across, down)
    )
    field = (
        x - width / 2 * step,
        y - height / 2 * step,
        x + width / 2 * step,
        y + height / 2 * step,
    )
    wide = ImageOps.expand(Image.fromarray(ink), around)
    levels = np.asarray(wide.resize(size, Image.Resampling.BOX, field)) * (255 / ink.max())
    return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, from the head of a picture; Pillow turns a TIFF as it loads."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        found = image.tag_v2.get(ORIENTATION, 1)
        return found if isinstance(found, int) else 1
    return _turned(image.info.get("exif", b""))


def _turned(exif: bytes) -> int:
    """The same of an EXIF; reads that tag alone, whatever the others claim."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        if order:
            (start,) = struct.unpack_from(f"{order}I", tiff, 4)
            (entries,) = struct.unpack_from(f"{order}H", tiff, start)
            for at in range(start + 2, start + 2 + 12 * entries, 12):
                tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, at)
                if tag == ORIENTATION and kind == SHORT:
                    return int(value)
    except struct.error:  # it ends before it says so
        pass
    return 1


def _sieved(content: bytes, name: str) -> tuple[bytes, bytes]:
    """The parts of a picture that Pillow needs, and its EXIF if that was taken out."""
    if name == "PNG":
        return _png(content)
    return _jpeg(content) if name == "JPEG" else (content, b"")


def _png(content: bytes) -> tuple[bytes, bytes]:
    """Checks every checksum; Pillow checks a few."""
    kept: dict[bytes, bytes] = {}
    pixels: list[bytes] = []
    exif, position, kind = b"", len(PNG), b""
    while kind != b"IEND":
        end = position + 12 + int.from_bytes(content[position : position + 4], "big")
        if end > len(content):
            raise InputError("is a truncated PNG; copy or save it again")
        kind, body = content[position + 4 : position + 8], content[position + 8 : end - 4]
        if _checksum(kind, body) != content[end - 4 : end]:
            raise InputError("is a damaged PNG: a checksum does not match; copy or save it again")
        if (kind == b"IHDR") == bool(kept):
            raise InputError(
                "is a damaged PNG: its header is not where it has to be; save it again"
            )
        if kind in HEADS:
            kept.setdefault(kind, body)
        elif kind == b"IDAT":
            pixels.append(body)
        elif kind == b"eXIf":
            exif = body
        position = end
    # One chunk of pixels, because Pillow takes them one at a time.
    parts = [*kept.items(), (b"IDAT", b"".join(pixels)), (b"IEND", b"")]
    chunks = [
        len(body).to_bytes(4, "big") + kind + body + _checksum(kind, body) for kind, body in parts
    ]
    return PNG + b"".join(chunks), exif


def _checksum(kind: bytes, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _jpeg(content: bytes) -> tuple[bytes, bytes]:
    """Without comments and what applications add, but JFIF's and Adobe's word on the colours.

    Nor with what follows its end, such as the film of a moving photo.
    """
    kept, exif, position = [content[:2]], b"", 2
    for _ in range(MOST_SEGMENTS):
        position = content.find(b"\xff", position)
        marker = content[position + 1 : position + 2]
        if position < 0 or not marker:
            break
        if marker in b"\xff\x00":  # filling
            position += 1
            continue
        if marker == b"\xda":
            end = content.find(b"\xff\xd9", position)
            end = len(content) if end < 0 else end + 2
            if content.count(b"\xff\xda", position, end) > MOST_SCANS:
                raise InputError(f"is a JPEG of more than {MOST_SCANS} scans; save it again")
            return b"".join([*kept, content[position:end]]), exif
        end = position + 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        if marker == b"\xe1" and not exif and content.startswith(b"Exif\0\0", position + 4):
            exif = content[position + 4 : end]
        if not (b"\xe1" <= marker <= b"\xef" or marker == b"\xfe") or marker == b"\xee":
            kept.append(content[position:end])
        position = end
    raise InputError("is a damaged JPEG: its pixels are not found; save it again")
