"""The only atomic writer and the only digest function of the project."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import tempfile
import traceback
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from filelock import lock_descriptor

from duli.base.errors import DataError, DuliError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

MOST_VALUES = 100_000  # values in a YAML file, aliases expanded


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` whole, and on disk, when the block ends, or not at all.

    The bytes go to a temporary file in the same folder (a rename is atomic only within a file
    system), are fsynced and renamed, and the folder is fsynced so that the new name survives a
    power cut. Temporary files of writers that were killed are swept first; a living writer holds a
    lock on its own.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    )
    temporary = Path(handle.name)
    try:
        with handle:
            lock_descriptor(handle.fileno())
            yield handle
            handle.flush()
            os.fchmod(handle.fileno(), 0o666 & ~_umask())
            os.fsync(handle.fileno())
            # Renamed while the lock is still held, so that no sweep can take it for a dead writer's
            # file.
            temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"{path}: the disk is full; make room and run again, what stood there before is"
                " whole"
            ) from None
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
    """Writes `value` atomically as readable JSON; raises `DataError` naming the key of a number
    that is not finite.
    """
    for key, number in _numbers(value):
        if not math.isfinite(number):
            raise DataError(
                f"{path}: {key} is {number}; JSON and gates need finite numbers, nothing was"
                " written"
            )
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_json(path: str | Path, value: Any) -> None:
    """Adds `value` as one line to a log of JSON lines, on disk when this returns; a line that a
    crash cut short is closed first.
    """
    line = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with Path(path).open("ab+") as file:
        lock_descriptor(file.fileno())
        if file.seek(0, os.SEEK_END) and not _ends_line(file):
            line = b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    _fsync_folder(Path(path).parent)


class MissingKeyError(DataError, KeyError):
    """A JSON object lacks a key; the message names the file, the place in it and the fix."""

    __str__ = DataError.__str__  # KeyError shows the repr of its message


class Facts(dict[str, Any]):
    """A JSON object of a file: a key that it lacks is named with the file, and what was read is
    remembered for a while.
    """

    read: ClassVar[deque[tuple[str, Any, str]]] = deque(maxlen=1000)  # place, value and fix
    odd: ClassVar[list[tuple[str, Any, str]]] = []  # the same of files that hold no object

    def __init__(self, values: dict[str, Any], place: str, fix: str) -> None:
        super().__init__(values)
        self.place, self.fix = place, fix

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        Facts.read.append((f"{self.place}{key}", value, self.fix))
        return value

    def __missing__(self, key: str) -> Any:
        raise MissingKeyError(f"{self.place}{key} is missing; {self.fix}")


def read_json(path: str | Path, fix: str = "") -> Any:
    """The value in a JSON file, its objects as `Facts`; raises `DataError` with `fix` where it is
    missing, damaged or not finite.
    """
    fix = fix or healing(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        value = json.loads(text, parse_constant=_finite, parse_float=_finite)
        facts = _placed(value, f"{path}: ", fix)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; run `dvc repro`, which makes it") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); {fix}") from None
    Facts.read.append((str(path), facts, fix))
    if not isinstance(facts, Facts):
        Facts.odd.append(Facts.read[-1])
    return facts


def forget() -> None:
    """Begins anew with what `disbelieved` goes by."""
    Facts.read.clear()
    Facts.odd.clear()


def disbelieved(error: Exception) -> DataError | None:
    """The error to show when this repository's own code cannot work with the content of a JSON
    file; None if it read nothing.

    The value is the newest of the type that the error names first, unless a file holds no object.
    The line of code is named too, since the defect may be there.
    """
    said = " ".join(str(error).split())[:200]
    named = re.search(r"\b(NoneType|list|str|int|float|bool|Facts)\b", said)
    newest = [
        entry for entry in reversed(Facts.read) if named and type(entry[1]).__name__ == named[1]
    ]
    candidates = [*Facts.odd, *newest, *reversed(Facts.read)]
    if not candidates:
        return None
    place, value, fix = candidates[0]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    code = Path(__file__).resolve().parents[2]
    inside = Path(frame.filename).resolve()
    if not any(inside.is_relative_to(code / folder) for folder in ("duli", "stages")):
        return None
    where = f"{inside.relative_to(code)}, line {frame.lineno}"
    return DataError(
        f"{place} is {_shown(value)}, which {where}, cannot work with ({type(error).__name__}:"
        f" {said}); {fix}"
    )


def healing(path: str | Path) -> str:
    """The commands that make DVC bring or make `path` again, whatever happened to it and to DVC's
    copy.

    DVC trusts a read-only object of its cache without looking at its bytes, and would bring a
    damaged one back.
    """
    return (
        f'make DVC look at its cache again: `rm -f {path}; chmod -R u+w "$(dvc cache dir)"; dvc'
        " repro`"
    )


def read_yaml(path: Path, most: int, error: type[DuliError], fix: str) -> "tuple[Any, Node | None]":
    """The content of a YAML 1.2 file of at most `most` bytes, and its nodes, which know how each
    value is written.

    Raises `error` that names the file, and the line where there is one, for whatever else it is: no
    UTF-8, no YAML, a key twice, an alias that contains itself, or aliases that stand for more than
    `MOST_VALUES` values.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import YAMLError

    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise error(f"{path} is larger than {most:,} bytes; {fix}")
        constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(content.decode())
        node = constructor.composer.get_single_node()
        if node is None:
            return None, None
        if _expanded(node, {}) > MOST_VALUES:
            raise error(f"{path}: its aliases stand for more than {MOST_VALUES:,} values; {fix}")
        return constructor.construct_document(node), node
    except OSError as reason:
        raise error(
            f"cannot read {path}: {reason.strerror}; it has to be a readable text file"
        ) from None
    except UnicodeDecodeError as reason:
        raise error(
            f"{path} is not UTF-8 (byte {reason.start}); save it as UTF-8, or {fix}"
        ) from None
    except DuplicateKeyError as reason:
        line = reason.problem_mark.line + 1 if reason.problem_mark else "?"
        raise error(
            f"{path}, line {line}: {str(reason.problem).split(' with value')[0]}; keep one"
        ) from None
    except RecursionError:
        raise error(
            f"{path} is not valid YAML: nested too deep, or an alias contains itself; {fix}"
        ) from None
    except (YAMLError, ValueError, TypeError, LookupError, AttributeError) as reason:
        if isinstance(reason, DuliError):
            raise
        raise error(
            f"{path} is not valid YAML: {' '.join(str(reason).split())[:300]}; {fix}"
        ) from None


def sha256(source: str | Path | bytes) -> str:
    """SHA-256 in hex of a file (read in blocks, any size) or of bytes; raises `DataError` if
    there is no file.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        with Path(source).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{source} is missing; run `dvc repro`, which makes it") from None


def verified(path: str | Path, expected: str) -> bytes:
    """The bytes of `path`, after checking their SHA-256; raises `DataError` on any other bytes.

    DVC trusts a read-only cache object without looking at its bytes, so whoever reads a model
    checks it.
    """
    content = Path(path).read_bytes() if Path(path).is_file() else None
    if content is None or sha256(content) != expected:
        state = "is missing" if content is None else "does not have the SHA-256 it was made with"
        raise DataError(f"{path} {state}; {healing(path)}")
    return content


def _sweep(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError), leftover.open("rb") as file:
            if lock_descriptor(file.fileno(), blocking=False):
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


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _placed(value: Any, place: str, fix: str) -> Any:
    """`value` with its objects as `Facts`; `place` is the file and the key of `value`, as far as
    that goes.
    """
    if isinstance(value, dict):
        return Facts(
            {key: _placed(inner, f"{place}{key}.", fix) for key, inner in value.items()}, place, fix
        )
    if isinstance(value, list):
        return [_placed(inner, f"{place}{index}.", fix) for index, inner in enumerate(value)]
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} ..."


def _expanded(node: "Node", known: dict[int, int]) -> int:
    """The number of values that a YAML node stands for, counting each alias with all that it names;
    a node inside itself recurses for ever.
    """
    if isinstance(node.value, str):
        return 1
    if id(node) not in known:
        inner = [
            part
            for entry in node.value
            for part in (entry if isinstance(entry, tuple) else (entry,))
        ]
        known[id(node)] = 1 + sum(_expanded(part, known) for part in inner)
    return known[id(node)]
