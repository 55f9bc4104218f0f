"""The one atomic writer and the one digest function: whatever the project writes or believes goes through here."""

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from duli.errors import DataError


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` whole, and on disk, when the block ends, or not at all.

    The bytes go to a temporary file in the same folder (a rename is atomic only within a file system), are fsynced and
    renamed, and the folder is fsynced so that the new name survives a power cut. Temporary files of writers that were
    killed are swept first; a living writer holds a lock on its own.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    handle = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False)  # noqa: SIM115
    temporary = Path(handle.name)
    try:
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
            handle.flush()
            os.fchmod(handle.fileno(), 0o666 & ~_umask())
            os.fsync(handle.fileno())
            # Renamed while the lock is still held, so that no sweep can take it for a dead writer's file.
            temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"{path}: the disk is full; make room and run again, what stood there before is whole") from None
        raise
    _fsync_folder(path.parent)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes `content` atomically."""
    with atomic(path) as file:
        file.write(content)


def write_text(path: str | Path, text: str) -> None:
    """Writes `text` atomically, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` atomically as readable JSON; raises `DataError` naming the key of a number that is not finite."""
    for key, number in _numbers(value):
        if not math.isfinite(number):
            raise DataError(f"{path}: {key} is {number}; JSON and gates need finite numbers, nothing was written")
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_json(path: str | Path, value: Any) -> None:
    """Adds `value` as one line to a log of JSON lines, on disk when this returns; a line that a crash cut short is closed first."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with Path(path).open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if file.seek(0, os.SEEK_END) and not _ends_line(file):
            line = b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    _fsync_folder(Path(path).parent)


def read_json(path: str | Path) -> Any:
    """The value in a JSON file; raises `DataError` where the file is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; run `dvc repro`, which makes it") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); delete it and run `dvc repro`") from None


def sha256(source: str | Path | bytes) -> str:
    """SHA-256 in hex of a file (read in blocks, any size) or of bytes; raises `DataError` where there is no file."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        with Path(source).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{source} is missing; run `dvc repro`, which makes it") from None


def verified(path: str | Path, expected: str) -> bytes:
    """The bytes of `path`, after checking their SHA-256; raises `DataError` on any other bytes.

    DVC trusts a read-only cache object without looking at its bytes, so whoever reads a model checks it.
    """
    content = Path(path).read_bytes() if Path(path).is_file() else None
    if content is None or sha256(content) != expected:
        state = "is missing" if content is None else "does not have the SHA-256 it was made with"
        raise DataError(f"{path} {state}; make DVC look at its cache again: `rm -f {path}; chmod -R u+w .dvc/cache; dvc repro`")
    return content


def _sweep(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError), leftover.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def _fsync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _ends_line(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _numbers(inner, f"{key}.{name}" if key else str(name))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from _numbers(inner, f"{key}[{index}]")
        case float():
            yield key, value
