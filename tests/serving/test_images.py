"""Files are read exactly or refused in one line; nothing a stranger writes into a file makes a
traceback or takes memory.
"""

import gzip
import io
import pickle
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from duli.serving import sources
from duli.serving.errors import InputError, NoExampleError
from duli.serving.kinds.image.images import load

SHAPE = (1, 28, 28)
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npy_header(header: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


def idx(array: Any, kind: int = 0x08) -> bytes:
    return (
        bytes([0, 0, kind, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def png(pixels: Any, filters: Any = 0, **header: int) -> bytes:
    """Encodes with the given filter for each row: our own encoder, because Pillow chooses filters
    as it likes.
    """
    height, width = pixels.shape[:2]
    step = pixels.shape[2] if pixels.ndim == 3 else 1
    rows = pixels.reshape(height, -1).astype(int)
    raw = b""
    for y, row in enumerate(rows):
        kind = filters[y % len(filters)] if isinstance(filters, list) else filters
        up = rows[y - 1] if y else np.zeros_like(row)
        left, corner = (np.concatenate([np.zeros(step, int), line[:-step]]) for line in (row, up))
        guess = left + up - corner
        distances = np.stack([abs(guess - left), abs(guess - up), abs(guess - corner)])
        paeth = np.choose(distances.argmin(axis=0), [left, up, corner])
        base = [np.zeros_like(row), left, up, (left + up) // 2, paeth][kind] if kind < 5 else row
        raw += bytes([kind]) + ((row - base) % 256).astype(np.uint8).tobytes()
    values = {
        "width": width,
        "height": height,
        "depth": 8,
        "colour": 0 if step == 1 else 2,
        "compression": 0,
        "filter": 0,
        "interlace": 0,
    }
    return wrap(
        [
            (b"IHDR", struct.pack(">IIBBBBB", *(values | header).values())),
            (b"IDAT", zlib.compress(raw)),
            (b"IEND", b""),
        ]
    )


def wrap(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def saved(image: "Image.Image", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **{"format": "PNG", **options})
    return buffer.getvalue()


def read(content: bytes, shape: tuple[int, int, int] = SHAPE) -> Any:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return load(file.name, shape)


@pytest.mark.parametrize(
    "content",
    [
        npy(PIXELS),
        npy(np.asfortranarray(PIXELS)),
        idx(PIXELS),
        gzip.compress(npy(PIXELS)),
        gzip.compress(idx(PIXELS)),
        gzip.compress(idx(PIXELS)[:500]) + gzip.compress(idx(PIXELS)[500:]),
    ],
)
def test_arrays_are_read_exactly(content: bytes) -> None:
    assert (read(content) == PIXELS).all()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_of_npy(version: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, PIXELS, version=version, allow_pickle=False)
    assert (read(buffer.getvalue()) == PIXELS).all()


@pytest.mark.parametrize("filters", [0, 1, 2, 3, 4, [4, 3, 2, 1, 0]])
@pytest.mark.parametrize("channels", [1, 3])
def test_png_filters(filters: Any, channels: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (28, 20, channels), dtype=np.uint8)
    content = png(pixels[..., 0] if channels == 1 else pixels, filters)
    # the encoder is right
    assert (np.asarray(Image.open(io.BytesIO(content))).reshape(28, 20, channels) == pixels).all()
    assert (read(content, (channels, 28, 20))[0].transpose(1, 2, 0) == pixels).all()


def test_png_of_pillow_and_its_grey() -> None:
    colours = Image.fromarray(
        np.random.default_rng(3).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    )
    assert (read(saved(colours))[0, 0] == np.asarray(colours.convert("L"))).all()
    smooth = Image.linear_gradient("L").resize((28, 28))
    assert (read(saved(smooth, optimize=True))[0, 0] == np.asarray(smooth)).all()
    assert (read(saved(smooth), (3, 28, 28))[0] == np.asarray(smooth)).all()


def jpeg(image: "Image.Image") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize(("mode", "shape"), [("L", (1, 28, 28)), ("RGB", (3, 28, 28))])
def test_jpeg_is_what_pillow_reads(mode: str, shape: tuple[int, int, int]) -> None:
    content = jpeg(Image.linear_gradient("L").resize((28, 28)).convert(mode))
    expected = (
        np.asarray(Image.open(io.BytesIO(content)).convert(mode))
        .reshape(28, 28, shape[0])
        .transpose(2, 0, 1)
    )
    assert (read(content, shape)[0] == expected).all()


IMAGE = PIXELS[0]
HEADER = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)


def png_of(packed: bytes) -> bytes:
    return wrap([(b"IHDR", HEADER), (b"IDAT", packed), (b"IEND", b"")])


BAD = {
    "empty": (b"", "is empty"),
    "empty gz": (gzip.compress(b""), "is empty"),
    "text": (b"hello", "of no known kind; convert it"),
    "jpeg": (b"\xff\xd8\xff\xe0...", "a damaged JPEG: its pixels"),
    "jpeg cut off": (jpeg(Image.fromarray(PIXELS[0]))[:-200], "damaged JPEG"),
    "jpeg of many scans": (jpeg(Image.new("L", (28, 28)))[:-2] + b"\xff\xda" * 32, "scans"),
    "gif cut off": (b"GIF89a", "no picture, or a damaged one"),
    "webp that is none": (b"RIFF\x04\0\0\0WEBP", "cannot be read|no picture"),
    "wav": (b"RIFF\x04\0\0\0WAVE", "of no known kind"),
    "tiff of the head alone": (b"II*\0\x08\0\0\0", "cannot be read|no picture|damaged TIFF"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0", "of no known kind"),
    "npz": (b"PK\x03\x04...", r"ZIP or \.npz"),
    "pickle": (pickle.dumps(PIXELS), "of no known kind"),
    "gz cut off": (gzip.compress(idx(PIXELS))[:-200], r"truncated \.gz"),
    "gz of nothing": (b"\x1f\x8b", r"truncated \.gz"),
    "gz with a wrong checksum": (gzip.compress(idx(PIXELS))[:-8] + bytes(8), r"damaged \.gz"),
    "gz with damaged data": (
        gzip.compress(idx(PIXELS))[:200] + bytes(200),
        r"damaged \.gz|truncated",
    ),
    "gz within gz": (gzip.compress(gzip.compress(idx(PIXELS))), "of no known kind"),
    "idx of labels": (idx(np.zeros(9, np.uint8)), "a file of labels"),
    "idx of floats": (idx(np.zeros((1, 28, 28), ">f4"), 0x0D), "type 0x0d instead of 0x08"),
    "idx with a huge header": (
        b"\0\0\x08\x03" + b"\xff" * 12 + bytes(784),
        "is truncated: the header claims",
    ),
    "idx cut off": (idx(PIXELS)[:-1], "is truncated"),
    "idx cut off in the header": (idx(PIXELS)[:9], "ends within its header"),
    "idx of two bytes": (b"\0\0", "no IDX file"),
    "idx with more behind": (idx(PIXELS) + b"\0", "longer than its header says"),
    "npy of floats": (npy(PIXELS.astype(np.float32)), r"float32.*\* 255"),
    "npy of NaN": (npy(np.full((1, 28, 28), np.nan)), "float64, the model takes uint8"),
    "npy of bool": (npy(PIXELS > 9), "bool"),
    "npy of int64": (npy(PIXELS.astype(np.int64)), "int64"),
    "npy of complex": (npy(PIXELS.astype(np.complex64)), "of another kind"),
    "npy of text": (npy(np.array(["a"])), "of another kind"),
    "npy of records": (npy(np.zeros(3, [("a", "u1"), ("b", "f4")])), "of another kind"),
    "npy of objects": (
        npy(np.array([PIXELS, None], object), allow_pickle=True),
        "pickle.*never opened",
    ),
    "npy of records of objects": (
        npy(np.zeros(3, [("a", "O")]), allow_pickle=True),
        "pickle.*never opened",
    ),
    "npy cut off": (npy(PIXELS)[:-1], "is truncated"),
    "npy cut off in the header": (npy(PIXELS)[:50], "header makes no sense"),
    "npy of six bytes": (b"\x93NUMPY", "header makes no sense"),
    "npy that claims much": (
        npy_header("{'descr':'|u1','fortran_order':False,'shape':(4000000000,28,28)}"),
        "is truncated",
    ),
    "npy that claims digits": (
        npy_header("{'descr':'|u1','fortran_order':False,'shape':(1" + "0" * 4000 + ",9)}"),
        "makes no sense",
    ),
    "npy of many dimensions": (
        npy_header("{'descr':'|u1','fortran_order':False,'shape':(1,1,1,1,784)}", bytes(784)),
        "makes no sense",
    ),
    "npy of a negative size": (
        npy_header("{'descr':'|u1','fortran_order':False,'shape':(-1,-784)}", bytes(784)),
        "makes no sense",
    ),
    "npy with true as a size": (
        npy_header("{'descr':'|u1','fortran_order':False,'shape':(True,28,28)}", bytes(784)),
        "makes no sense",
    ),
    "npy with code": (npy_header("__import__('os').system('false')"), "makes no sense"),
    "npy nested deep": (npy_header("(" * 9000), "makes no sense"),
    "npy with a padded header": (
        npy_header(
            "{'descr':'|u1','fortran_order':False,'shape':(1,28,28)}" + " " * 20_000, bytes(784)
        ),
        "makes no sense",
    ),
    "npy with a long header": (
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b" " * 20_000,
        "makes no sense",
    ),
    "png bomb": (png(IMAGE, width=30_000, height=30_000), "more than 50,000,000 pixels"),
    "png of 99 million pixels": (
        png(IMAGE, width=11_000, height=9_000),
        "11,000 x 9,000 pixels, more than 50,000,000",
    ),
    "png of one long line": (png(IMAGE, width=40_000, height=1), "a side of more than 32,767"),
    "png of too few pixels": (png_of(zlib.compress(bytes(9))), "damaged PNG"),
    "png without pixels": (wrap([(b"IHDR", HEADER), (b"IEND", b"")]), "damaged PNG"),
    "png of damaged pixels": (png_of(b"\xff" * 99), "damaged PNG"),
    "png without header": (wrap([(b"IDAT", b""), (b"IEND", b"")]), "header is not where"),
    "png of two headers": (
        wrap([(b"IHDR", HEADER), (b"IHDR", HEADER), (b"IEND", b"")]),
        "header is not where",
    ),
    "png with a short header": (
        wrap([(b"IHDR", HEADER[:9]), (b"IEND", b"")]),
        "no picture|cannot be read",
    ),
    "png cut off": (png(IMAGE)[:-20], "truncated PNG"),
    "png of eight bytes": (png(IMAGE)[:8], "truncated PNG"),
    "png with a wrong checksum": (
        png(IMAGE)[:60] + b"!" + png(IMAGE)[61:],
        "checksum does not match",
    ),
    "png of an unknown filter": (png(IMAGE, 5), "damaged PNG"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(name: str) -> None:
    content, message = BAD[name]
    with pytest.raises(InputError, match=message) as refusal:
        read(content)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_notes_beside_pictures_are_no_examples_and_text_called_a_picture_is_a_mistake(
    tmp_path: Path,
) -> None:
    for name, error in (("notes.txt", NoExampleError), ("a.PNG", InputError)):
        (tmp_path / name).write_text("hello")
        with pytest.raises(InputError, match="of no known kind") as refusal:
            load(str(tmp_path / name), SHAPE)
        assert type(refusal.value) is error


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load(str(tmp_path / "none.npy"), SHAPE)
    with pytest.raises(InputError, match="is a folder"):
        load(str(tmp_path), SHAPE)
    with pytest.raises(InputError, match="cannot be read"):
        load(str(tmp_path / ("a" * 300)), SHAPE)


def test_bombs_cost_no_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 2**20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(50 * 2**20)))
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    (tmp_path / "bomb.png").write_bytes(png_of(zlib.compress(bytes(50 * 2**20))))
    tracemalloc.start()
    for name in ("bomb.gz", "large"):
        with pytest.raises(InputError, match="more than 1 MiB; split it"):
            load(str(tmp_path / name), SHAPE)
    # of what follows its pixels nothing is unpacked
    assert not load(str(tmp_path / "bomb.png"), SHAPE).any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


VALID = [
    npy(PIXELS),
    idx(PIXELS),
    png(IMAGE, 4),
    gzip.compress(idx(PIXELS)),
    saved(Image.fromarray(IMAGE)),
    jpeg(Image.fromarray(IMAGE)),
]
VALID += [saved(Image.fromarray(IMAGE), format=name) for name in ("GIF", "BMP", "TIFF", "WEBP")]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), max_size=4),
    st.integers(0, 900),
)
@example(VALID[0], [], 0)
def test_mutated_files_are_read_or_refused(
    content: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    changed = bytearray(content)
    for position, value in changes:
        changed[position % len(changed)] = value
    try:
        result = read(bytes(changed[: len(changed) - cut % len(changed)]))
    except InputError:
        return
    assert result.dtype == np.uint8
