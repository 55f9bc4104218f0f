"""Reads the bytes of untrusted files, decompressed if needed, and at most MAX_BYTES of each."""

import gzip
import io
import os
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import InputError

MAX_BYTES = 256 * 2**20  # of one file, compressed or not: 340,000 images of 28 x 28
GZIP = b"\x1f\x8b"
SYSTEM = {  # in lower case
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "@eadir",
    "lost+found",
    "$recycle.bin",
}


@contextmanager
def naming(source: str | Path) -> Iterator[None]:
    """Adds the name of the file to an `InputError`."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def content_of(source: str) -> bytes:
    """The bytes of the file `source` ("-": standard input), unpacked if it is a .gz; raises
    `InputError`.
    """
    content = _content(source)
    return _gunzip(content) if content.startswith(GZIP) else content


def readable(name: str) -> str:
    """The name of a file or a class as one line of text, in NFC.

    Bytes that are no UTF-8, and control characters, are spelled out.
    """
    text = unicodedata.normalize("NFC", os.fsencode(name).decode(errors="backslashreplace"))
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def is_system(name: str) -> bool:
    """Whether an operating system puts a file or folder of that name beside people's files."""
    return name.startswith(".") or name.lower() in SYSTEM


def files_below(folder: Path) -> list[Path]:
    """The files in `folder` and in the folders in it, in the order of their paths.

    What `is_system` names is left out, and links to folders: they may lead round in a circle.
    """
    return [path for path, left in _below(folder) if not left]


def left_out(folder: Path) -> int:
    """The number of files and folders that `files_below` leaves out."""
    return sum(left for _, left in _below(folder))


def _below(folder: Path) -> Iterator[tuple[Path, bool]]:
    for path in sorted(folder.iterdir()):
        if is_system(path.name):
            yield path, True
        elif not path.is_dir():
            yield path, False
        elif not path.is_symlink():
            yield from _below(path)


def _content(source: str) -> bytes:
    if source == "-":
        return _limited(sys.stdin.buffer) if sys.stdin else b""
    try:
        with Path(source).open("rb") as file:
            return _limited(file)
    except FileNotFoundError:
        raise InputError("does not exist; correct the path") from None
    except IsADirectoryError:
        raise InputError("is a folder; name the files in it (FOLDER/*)") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); give a readable file") from None


def _limited(file: BinaryIO | gzip.GzipFile) -> bytes:
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"holds more than {MAX_BYTES // 2**20} MiB; split it")
    return content


def _gunzip(content: bytes) -> bytes:
    try:
        return _limited(gzip.GzipFile(fileobj=io.BytesIO(content)))
    except EOFError:
        raise InputError("is a truncated .gz; copy or download it again") from None
    except (OSError, zlib.error) as error:
        raise InputError(f"is a damaged .gz ({error}); copy or download it again") from None


def decoded(content: bytes) -> str:
    """A file's content as text; raises `InputError` unless it is UTF-8, with or without the mark at
    its beginning.
    """
    if not content:
        raise InputError("is empty; give text in UTF-8")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    if content.startswith(b"PAR1"):
        raise InputError(
            "is a Parquet file; save it as CSV in UTF-8 (in pandas: to_csv(FILE, index=False))"
        )
    if b"\0" in content:
        raise InputError(
            f"holds a NUL byte (at {content.index(0):,}), so it is no text; give text in UTF-8"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = f"byte 0x{content[error.start]:02x} at {error.start:,}"
        raise InputError(
            f"is not UTF-8 ({at}); convert it, from GBK or GB18030 with iconv -f GB18030 -t UTF-8"
        ) from None
