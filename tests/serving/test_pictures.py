"""Training, command, server and page read a picture alike: turned, on white, of 8 bits, of the
model's size and ground.
"""

import contextlib
import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from duli.base.errors import DataError
from duli.kinds.image.intake.own import _upright
from duli.serving import pictures
from duli.serving.errors import InputError
from duli.serving.images import decode
from duli.serving.pictures import Rules
from tests.serving.test_images import png_of, wrap

MODES = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "La",
    "I;16",
    "I;16B",
    "I",
    "F",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
ORIENTATION = 0x0112
DARK = Rules(ground="dark")


def image(mode: str, size: tuple[int, int] = (28, 28), seed: int = 0) -> Image.Image:
    width, height = size
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    if mode.startswith("I;16"):
        deep = values[..., 0].astype(">u2" if mode == "I;16B" else "<u2") * 257
        return Image.frombytes(mode, size, deep.tobytes())
    if mode in ("LAB", "HSV"):
        return Image.frombytes(mode, size, values[..., :3].tobytes())
    made = Image.fromarray(values, "RGBA")
    return (
        made.convert("L").convert(mode)
        if mode in ("I", "F")
        else made.convert({"La": "LA", "RGBa": "RGBA"}.get(mode, mode)).convert(mode)
    )


def saved(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(MODES),
    st.sampled_from(FORMATS),
    st.integers(0, 9),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.sampled_from([(1, 28, 28), (3, 20, 24)]),
)
@example("L", "JPEG", 6, (28, 20), (1, 28, 28))
@example("I", "TIFF", 1, (28, 28), (1, 28, 28))
def test_training_and_the_wheel_read_the_same_pixels_or_both_refuse(
    tmp_path: Path,
    mode: str,
    form: str,
    orientation: int,
    size: tuple[int, int],
    shape: tuple[int, int, int],
) -> None:
    try:
        content = saved(
            image(mode, size),
            form,
            **({"exif": turned(orientation)} if form not in ("GIF", "BMP") else {}),
        )
    except (OSError, KeyError, ValueError):  # no such file can be
        return
    (tmp_path / "picture").write_bytes(content)
    try:
        trained = pictures.framed(_upright(tmp_path / "picture", 16), shape).tobytes()
    except DataError:
        with pytest.raises(InputError):
            decode(content, shape)
        assert mode in ("I", "F")
        return
    assert decode(content, shape)[0].tobytes() == trained


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_every_viewer_turns_it(form: str, orientation: int) -> None:
    options = {"quality": 95} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    content = saved(image("L", (30, 20)).convert("RGB"), form, exif=turned(orientation), **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    width, height = upright.size
    found = decode(content, (3, height, width))[0]
    assert (found.transpose(1, 2, 0) == np.asarray(upright)).all()


@pytest.mark.parametrize("order", "<>")
def test_an_exif_that_lies_turns_nothing(order: str) -> None:
    pixels = image("L", (28, 28))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    good = mark + struct.pack(f"{order}IHHHIHH", 8, 1, ORIENTATION, 3, 1, 3, 0)
    assert (
        decode(saved(pixels, exif=b"Exif\0\0" + good), (1, 28, 28))[0, 0]
        == np.asarray(pixels)[::-1, ::-1]
    ).all()
    far = mark + struct.pack(f"{order}IH", 2**31, 9)
    huge = (
        mark
        + struct.pack(f"{order}IH", 8, 65535)
        + struct.pack(f"{order}HHII", 0x9286, 7, 2**31, 8) * 9
    )
    for exif in (b"", b"nonsense", good[:-6], far, huge):
        content = wrap(
            [
                (b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)),
                (b"eXIf", exif),
                *_rows(pixels),
                (b"IEND", b""),
            ]
        )
        assert (decode(content, (1, 28, 28))[0, 0] == np.asarray(pixels)).all()


def _rows(pixels: Image.Image) -> list[tuple[bytes, bytes]]:
    return [(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.asarray(pixels))))]


def test_what_is_transparent_is_laid_on_white() -> None:
    grey, alpha = np.full((28, 28), 50, np.uint8), np.zeros((28, 28), np.uint8)
    alpha[9:12] = 255
    expected = np.where(alpha, 50, 255)
    parts = Image.fromarray(grey), Image.fromarray(alpha)
    colours = Image.merge("RGBA", (parts[0], parts[0], parts[0], parts[1]))
    for content in (
        saved(Image.merge("LA", parts)),
        saved(colours),
        saved(colours, "WEBP", lossless=True),
        saved(Image.fromarray(np.where(alpha, grey, 7).astype(np.uint8)), transparency=7),
        saved(
            Image.fromarray(np.where(alpha, 50, 7).astype(np.uint8)).convert("P"), transparency=7
        ),
        saved(Image.fromarray(np.where(alpha, 50 << 8, 7).astype(np.uint16)), transparency=7),
    ):
        assert (decode(content, (1, 28, 28))[0, 0] == expected).all()


def test_sixteen_bits_hold_as_many_as_the_data_set_says() -> None:
    deep = np.random.default_rng(0).integers(0, 4096, (28, 28)).astype(np.uint16)
    deep[0, 0] = 5000  # more than any had
    content = saved(Image.fromarray(deep))
    assert (decode(content, (1, 28, 28))[0, 0] == deep >> 8).all()
    assert (decode(content, (1, 28, 28), Rules(depth=12))[0, 0] == np.minimum(deep >> 4, 255)).all()


def test_a_picture_of_another_size_is_fitted_and_an_array_is_not() -> None:
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90), dtype=np.uint8))
    expected = ImageOps.fit(wide, (28, 28), Image.Resampling.BOX)
    assert (decode(saved(wide), (1, 28, 28))[0, 0] == np.asarray(expected)).all()
    array = io.BytesIO()
    np.save(array, np.asarray(wide)[None])
    assert decode(array.getvalue(), (1, 28, 28)).shape == (1, 60, 90)  # which the model refuses


def test_a_film_behind_a_photo_is_nobodys_business() -> None:
    photo = saved(image("L"), "JPEG")
    assert (decode(photo + b"\xff\xda" * 99, (1, 28, 28)) == decode(photo, (1, 28, 28))).all()
    progressive = saved(image("RGB", (64, 64)), "JPEG", progressive=True, quality=95)
    expected = Image.open(io.BytesIO(progressive))
    found = decode(progressive, (3, 64, 64))[0]
    assert (found.transpose(1, 2, 0) == np.asarray(expected)).all()


def test_of_an_animation_the_first_frame_counts() -> None:
    first, second = Image.new("L", (28, 28), 90), Image.new("L", (28, 28), 200)
    for form in ("PNG", "GIF", "WEBP", "TIFF"):
        content = saved(first, form, save_all=True, append_images=[second])
        assert abs(int(decode(content, (1, 28, 28)).mean()) - 90) <= 1


def digit() -> Any:
    """Light ink on dark ground; it is not in the middle."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:18, 6:9] = 255
    pixels[4:7, 6:16] = 128
    return pixels


def test_the_ground_of_the_data_set_is_taken_of_other_pictures() -> None:
    pixels = digit()
    shape = (1, 28, 28)
    for own in (pixels, np.zeros_like(pixels), np.where(pixels, 255, 90).astype(np.uint8)):
        assert (decode(saved(Image.fromarray(own)), shape, DARK)[0, 0] == own).all()
    assert (decode(saved(Image.fromarray(255 - pixels)), shape, DARK)[0, 0] == pixels).all()
    paper = np.where(pixels > 200, 20, 180).astype(np.uint8)
    assert (
        decode(saved(Image.fromarray(paper)), shape, DARK)[0, 0] == np.where(pixels > 200, 160, 0)
    ).all()
    light = Rules(ground="light")
    assert (decode(saved(Image.fromarray(pixels)), shape, light)[0, 0] == 255 - pixels).all()
    assert (decode(saved(Image.fromarray(255 - pixels)), shape, light)[0, 0] == 255 - pixels).all()
    colour = np.full((28, 28, 3), (250, 10, 250), np.uint8)  # of colours there is no negative
    assert (
        decode(saved(Image.fromarray(colour)), (3, 28, 28), DARK)[0].transpose(1, 2, 0) == colour
    ).all()
    array = io.BytesIO()
    np.save(array, 255 - pixels[None])
    assert (decode(array.getvalue(), shape, DARK) == 255 - pixels).all()  # pixels are what they are


@pytest.mark.parametrize("size", [(280, 280), (400, 150), (1500, 900), (14, 20)])
def test_a_drawing_is_centred_as_the_digits_were(size: tuple[int, int]) -> None:
    rules = Rules(ground="dark", framing="centred")
    width, height = size
    pixels = np.full((height, width), 235, np.uint8)
    pixels[height // 10 : height // 2, width // 10 : width // 5 + 1] = 30
    found = decode(saved(Image.fromarray(pixels)), (1, 28, 28), rules)[0, 0].astype(float)
    rows, columns = np.nonzero(found > 100)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20, 21)
    assert found.max() > 240
    middle = [(found.sum(axis=axis) * (np.arange(28) + 0.5)).sum() / found.sum() for axis in (0, 1)]
    assert np.abs(np.array(middle) - 14).max() < 0.5
    assert not decode(saved(Image.new("L", size)), (1, 28, 28), rules).any()


def test_a_whole_picture_is_framed_by_its_ground() -> None:
    wide = np.full((100, 200), 250, np.uint8)
    wide[40:60] = 10
    found = decode(
        saved(Image.fromarray(wide)), (1, 28, 28), Rules(ground="dark", framing="whole")
    )[0, 0]
    assert found[:11].max() < 20
    assert found[13:15].min() > 200
    assert found[17:].max() < 20


def _many(chunk: bytes) -> Callable[[int], bytes]:
    pixels = zlib.compress(bytes(28 * 29))
    return lambda size: (
        png_of(pixels)[:33] + wrap([(chunk, b"")])[8:] * (size // 12) + png_of(pixels)[33:]
    )


def _segments(segment: bytes) -> Callable[[int], bytes]:
    whole = saved(Image.new("L", (28, 28)), "JPEG")
    return lambda size: whole[:2] + segment * (size // len(segment)) + whole[2:]


SLOW: dict[str, Callable[[int], bytes]] = {
    "chunks": _many(b"abCd"),
    "palettes": _many(b"PLTE"),
    "pixels by the piece": _many(b"IDAT"),
    "texts that inflate": lambda size: (
        png_of(zlib.compress(bytes(28 * 29)))[:33]
        + wrap([(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6)))])[8:] * (size // 1000)
        + png_of(zlib.compress(bytes(28 * 29)))[33:]
    ),
    "EXIF by the piece": _segments(b"\xff\xe1\x00\x12Exif\0\0" + bytes(10)),
    "comments": _segments(b"\xff\xfe\0\2"),
    "tables": _segments(b"\xff\xdb\0\2"),
    "filling": _segments(b"\xff"),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_the_server_is_sent_takes_time_by_its_size_alone(name: str) -> None:
    """The quickest of three looks at a megabyte and at a quarter of it."""

    def seconds(content: bytes) -> float:
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            with contextlib.suppress(InputError):
                decode(content, (1, 28, 28), sent=True)
            best = min(best, time.process_time() - begin)
        return best

    quarter, whole = (seconds(SLOW[name](size)) for size in (250_000, 1_000_000))
    assert whole < 0.5
    assert whole < 10 * quarter + 0.05


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
def test_the_server_is_sent_no_formats_that_python_reads(form: str) -> None:
    content = saved(Image.new("L", (28, 28)), form)
    decode(content, (1, 28, 28))
    with pytest.raises(InputError, match=f"is a {form} file; convert it to PNG or JPEG"):
        decode(content, (1, 28, 28), sent=True)


def test_the_server_is_sent_no_poster() -> None:
    poster = saved(Image.new("1", (3000, 2000)))
    decode(poster, (1, 28, 28))
    with pytest.raises(InputError, match="3,000 x 2,000 pixels, more than 4,000,000"):
        decode(poster, (1, 28, 28), sent=True)
