"""Bytes that are slow for a parser that is not linear: bodies for every reader of the server.

tests/serving/test_linear.py asserts that the time a byte takes does not grow with the length;
`python -m benchmarks.serve linear` measures the worst.
"""

import gc
import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from duli.serving.errors import InputError
from duli.serving.kinds.image import kind as kind_image
from duli.serving.kinds.table import kind as kind_table
from duli.serving.kinds.text import kind as kind_text
from duli.serving.openinference import read
from duli.serving.protocol import Connection
from duli.serving.tasks.classification.task import Task

SIZE = 28  # pixels in a row of an image
FEATURES = [f"feature {index}" for index in range(8)]
SEEN = 64 * 1024  # bytes that come at once from a socket
HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

Body = Callable[[int], bytes]  # of about so many bytes


class Case(NamedTuple):
    """A reader, and bytes that are meant to be slow for it."""

    read: Callable[[bytes], object]
    body: Body


def seconds(case: Case, length: int, times: int = 2) -> float:
    """Processor time that one body of about `length` bytes takes, the least of several."""
    return spent(case.read, case.body(length), times)


def spent(read: Callable[[bytes], object], body: bytes, times: int = 1) -> float:
    """Processor time of one reading, the least of several.

    The collector of garbage waits, or its time would count at random.
    """
    taken = []
    gc.disable()
    try:
        for _ in range(times):
            began = time.process_time()
            with suppress(InputError):
                read(body)
            taken.append(time.process_time() - began)
    finally:
        gc.enable()
    return min(taken)


def cases() -> dict[str, Case]:
    """Every reader with every kind of bytes that may be slow for it."""
    image = kind_image.Kind({"input": {"channels": 1, "height": SIZE, "width": SIZE}}, {})
    table = kind_table.Kind({"features": FEATURES}, {})
    numbers = {"evaluation": {"accuracy": {}}}
    classes = {"classes": ["0", "1"], "temperature": 1.0, "threshold": 0.5, "numbers": numbers}
    task = Task(classes)
    # without its tokenizer, which reads no bytes of a client
    text: Any = kind_text.Kind.__new__(kind_text.Kind)
    text.length = 64
    found = {}
    for name, kind, key in (
        ("images", image, b"images"),
        ("rows", table, b"rows"),
        ("texts", text, b"texts"),
    ):
        for what, body in JSON.items():
            found[f"JSON {name}, {what}"] = Case(kind.asked, _keyed(body, key))
        for what, body in MLFLOW.items():
            found[f"MLflow {name}, {what}"] = Case(kind.invoked, body)
        for what, (body, head) in tensors(kind).items():
            found[f"tensor {name}, {what}"] = Case(_tensor(kind, task, head), body)
    for media, files in ((b"image/png", PNG), (b"application/octet-stream", ARRAYS)):
        for what, body in files.items():
            found[f"file, {what}"] = Case(partial(image.body, media=media), body)
    for what, body in CSV.items():
        found[f"CSV, {what}"] = Case(partial(table.body, media=b"text/csv"), body)
    for what, body in TEXT.items():
        found[f"text, {what}"] = Case(partial(text.body, media=b"text/plain"), body)
    for what, (body, pieces) in HTTP.items():
        found[f"HTTP, {what}"] = Case(partial(http, pieces=pieces), body)
    return found


def _keyed(body: Body, key: bytes) -> Body:
    return lambda length: body(length).replace(b"KEY", key, 1)


def _tensor(
    kind: Any, task: Task, head: Callable[[bytes], bytes | None]
) -> Callable[[bytes], object]:
    return lambda body: read(body, head(body), kind, task)


def filled(start: bytes, unit: bytes, end: bytes = b"") -> Body:
    """`unit` again and again, between `start` and `end`."""
    return lambda length: start + unit * max(1, (length - len(start) - len(end)) // len(unit)) + end


def numbered(start: bytes, unit: bytes, end: bytes = b"") -> Body:
    """`unit` with one number after the other in it."""
    return lambda length: (
        start + b"".join(unit % index for index in range(length // (len(unit) + 4))) + end
    )


JSON: dict[str, Body] = {
    "an open string of escapes": filled(b'{"KEY": "', b'\\"'),
    "an open string": filled(b'{"KEY": "', b"x"),
    "backslashes": filled(b'{"', b"\\"),
    "quotes": filled(b"{", b'"'),
    "open brackets": filled(b'{"KEY": ', b"["),
    "open braces": filled(b"", b'{"KEY":'),
    "brackets in pairs": filled(b'{"KEY": [', b"[],", b"[]]}"),
    "deep lists": filled(b'{"KEY": [', b"[" * 1000 + b"]" * 1000 + b",", b"1]}"),
    "deep and wide": lambda length: (
        b'{"KEY": ' + b"[" * 900 + b"1," * (length // 2) + b"1" + b"]" * 900 + b"}"
    ),
    "one number": filled(b'{"KEY": ', b"9", b"}"),
    "decimals": filled(b'{"KEY": 0.', b"1", b"}"),
    "an exponent": filled(b'{"KEY": 1e', b"1", b"}"),
    "numbers": filled(b'{"KEY": [', b"1,", b"1]}"),
    "floats": filled(b'{"KEY": [', b"0.12345678901234567,", b"1]}"),
    "images and another": filled(b'{"KEY": [', b"[" + b"1," * 783 + b"1],", b"[1]]}"),
    "rows of different lengths": filled(b'{"KEY": [', b"[1],", b"[1,2]]}"),
    "lists and a number": filled(b'{"KEY": [', b"[1],", b"1]}"),
    "objects": filled(b'{"KEY": [', b'{"a":1},', b"1]}"),
    "keys": numbered(b"{", b'"%d":0,', b'"KEY": []}'),
    "the same key": filled(b"{", b'"a":0,', b'"KEY": []}'),
    "blanks": filled(b'{"KEY":', b" ", b"1}"),
    "half characters": filled(b'{"KEY": "', rb"\ud83d\ude00", rb'\ud83d"}'),
    "no UTF-8 at its end": filled(b'{"KEY": "', "é".encode(), b'\xff"}'),
    "NaN at its end": filled(b'{"KEY": [', b"1,", b"NaN]}"),
    "nearly true": filled(b'{"KEY": "', b"tru", b'"}'),
    "long texts": filled(b'{"KEY": [', b'"' + b"x" * 9_999 + b'",', b'""]}'),
}


def _named(length: int) -> bytes:
    """A record of many names, and as many records without any."""
    first = b"".join(b'"%d": 1,' % index for index in range(length // 24))
    return b'{"dataframe_records": [{' + first + b'"x": 1}' + b",{}" * (length // 6) + b"]}"


MLFLOW: dict[str, Body] = {
    "columns": numbered(b'{"inputs": {', b'"%d": [1],', b'"a": [1]}}'),
    "a long column": filled(b'{"inputs": {"feature 0": [', b"1,", b"1]}}"),
    "names of a frame": numbered(
        b'{"dataframe_split": {"columns": [', b'"%d",', b'"x"], "data": [[1]]}}'
    ),
    "rows of a frame": filled(
        b'{"dataframe_split": {"columns": ["feature 0"], "data": [', b"[1],", b"[1]]}}"
    ),
    "records": filled(b'{"dataframe_records": [', b'{"text": "x"},', b'{"feature 0": 1}]}'),
    "names in the first record": _named,
    "names in a record": numbered(b'{"dataframe_records": [{', b'"%d": 1,', b'"x": 1}]}'),
    "instances": filled(b'{"instances": [', b'{"images": [[1]]},', b"{}]}"),
}


def tensors(kind: Any) -> dict[str, tuple[Body, Callable[[bytes], bytes | None]]]:
    """Bodies of the Open Inference Protocol, and their header Inference-Header-Content-Length."""
    name, datatype, *_ = kind.tensor

    def json_part(**tensor: Any) -> bytes:
        return json.dumps({"inputs": [{"name": name, "datatype": datatype, **tensor}]}).encode()

    def shape(length: int) -> bytes:
        return json_part(shape=[2**63] * (length // 21), data=[[[[1] * SIZE] * SIZE]])

    def data(length: int) -> bytes:
        return json_part(shape=[length // 3, 1, SIZE, SIZE], data=[1] * (length // 3))

    part = json_part(shape=[256], parameters={"binary_data_size": 10**6})
    texts = json_part(shape=[256, 1], parameters={"binary_data_size": 10**6})
    return {
        "a long shape": (shape, lambda _: None),
        "data": (data, lambda _: None),
        "a long head": (filled(part, b" "), lambda body: b"%d" % len(body)),
        "bytes": (filled(part, b"\1\0\0\0"), lambda _: b"%d" % len(part)),
        "short texts": (
            lambda length: _binary(texts, b"\1\0\0\0a", length),
            lambda body: b"%d" % body.index(b"\1"),
        ),
        "empty texts": (
            lambda length: _binary(texts, b"\0\0\0\0", length),
            lambda body: b"%d" % body.index(b"\0"),
        ),
    }


def _binary(part: bytes, unit: bytes, length: int) -> bytes:
    tail = unit * (length // len(unit))
    return part.replace(b"1000000", b"%d" % len(tail)) + tail


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@lru_cache(maxsize=1)
def _pixels() -> bytes:
    """As many pixels as a PNG may have, of which each is guessed from its neighbours."""
    head = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 2000, 2000, 16, 6, 0, 0, 0)
    )
    return (
        head + chunk(b"IDAT", zlib.compress((b"\4" + bytes(16_000)) * 2000)) + chunk(b"IEND", b"")
    )


@lru_cache(maxsize=8)
def _scans(length: int, size: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: each is decoded over all its pixels."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((size, size), np.uint8)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * max(1, (length - len(content)) // len(last)) + content[-2:]


IHDR = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 0, 0, 0, 0))
PIXELS = zlib.compress(b"\0" * (SIZE + 1) * SIZE)
END = chunk(b"IDAT", PIXELS) + chunk(b"IEND", b"")
PNG: dict[str, Body] = {
    "PNG of empty chunks": filled(IHDR, chunk(b"IDAT", b""), END),
    "PNG of chunks nobody knows": filled(IHDR, chunk(b"abCd", b""), END),
    "PNG with one long chunk": lambda length: IHDR + chunk(b"teXt", bytes(length)) + END,
    "PNG of texts": filled(IHDR, chunk(b"tEXt", b"a\0b"), END),
    "PNG of packed texts": filled(
        IHDR, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000))), END
    ),
    "PNG of headers": filled(IHDR, IHDR[8:], END),
    "PNG of empty blocks": lambda length: (
        IHDR + chunk(b"IDAT", b"\x78\x9c" + b"\0\0\0\xff\xff" * (length // 5)) + chunk(b"IEND", b"")
    ),
    "PNG with more behind its pixels": lambda length: (
        IHDR + chunk(b"IDAT", PIXELS + bytes(length)) + chunk(b"IEND", b"")
    ),
    "PNG that goes on and on": lambda length: (
        IHDR + chunk(b"IDAT", zlib.compress(bytes(length * 500))) + chunk(b"IEND", b"")
    ),
    "PNG with bytes behind its end": filled(IHDR + END, b"\0"),
    "JPEG of fill bytes": filled(b"\xff\xd8\xff", b"\xff"),
    "JPEG of comments": filled(b"\xff\xd8", b"\xff\xfe\0\2", b"\xff\xd9"),
    "JPEG of many scans": lambda length: _scans(length, SIZE),
    "JPEG of many scans of many pixels": lambda _: _scans(64_000, 4000),
    "PNG of many pixels": lambda _: _pixels(),
}


def _npy(header: bytes) -> bytes:
    return b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header


ARRAYS: dict[str, Body] = {
    "npy with a long head": lambda length: _npy(b"{" + b" " * length + b"}"),
    "npy with deep brackets": lambda length: _npy(b"(" * min(length, 9_990)),
    "npy with a long sum": lambda length: _npy(
        b"{'descr': " + b"1+" * (min(length, 9_900) // 2) + b"1}"
    ),
    "npy with more than it says": lambda length: (
        _npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}") + bytes(length)
    ),
    "IDX with more than it says": filled(b"\0\0\x08\3" + struct.pack(">3I", 1, SIZE, SIZE), b"\0"),
    "IDX without pixels": filled(b"\0\0\x08\3" + struct.pack(">3I", 2**31, 2**31, 2**31), b"\0"),
    "nothing known": filled(b"x", b"\xff"),
}
NAMES = ",".join(FEATURES).encode()
CSV: dict[str, Body] = {
    "names": numbered(b"", b"%d,", b"x\n1\n"),
    "names, the last of them twice": numbered(b"", b"%d,", b"x,x\n1\n"),
    "a feature again and again": filled(b"", b"feature 0,", b"x\n1\n"),
    "quotes": filled(NAMES + b"\n", b'"'),
    "an open quote": filled(NAMES + b'\n"', b'""'),
    "blank lines": filled(NAMES + b"\n", b"\n"),
    "half line ends": filled(NAMES + b"\n", b"\r"),
    "rows of one": filled(b"feature 0\n", b"1\n"),
    "rows": filled(NAMES + b"\n", b"1,2,3,4,5,6,7,8\n"),
    "missing values": filled(NAMES + b"\n", b",,,,,,,\n"),
    "one long row": filled(NAMES + b"\n", b"1,", b"\n"),
    "one long number": filled(b"feature 0\n", b"1", b"\n"),
    "a long name": filled(b"feature 0,", b"x", b"\n1,2\n"),
    "numbers of blanks": filled(b"feature 0\n", b" " * 1000 + b"1\n"),
    "no UTF-8 at its end": filled(NAMES + b"\n", b"1\n", b"\xff"),
    "NUL at its end": filled(NAMES + b"\n", b"1\n", b"\0"),
}
TEXT: dict[str, Body] = {
    "blanks": filled(b"", b" "),
    "letters": filled(b"", "é".encode()),
    "no UTF-8 at its end": filled(b"", b"x", b"\xff"),
}


def http(body: bytes, pieces: int) -> None:
    """What a connection does with bytes that come in `pieces`."""
    loop = SimpleNamespace(time=time.monotonic)
    hosts = SimpleNamespace(allowed=lambda host, path: True)
    service: Any = SimpleNamespace(
        loop=loop,
        hosts=hosts,
        connections=set(),
        max_connections=2,
        max_body=2**21,
        draining=False,
        finished=lambda *_: None,
    )
    answer = SimpleNamespace(status=200, body=b"", kind=b"text/plain", head=b"")
    service.handle = lambda request, reply: reply(answer)
    connection = Connection(service)
    nothing = SimpleNamespace(
        **{
            name: lambda *_: None
            for name in ("write", "write_eof", "close", "abort", "pause_reading", "resume_reading")
        }
    )
    connection.connection_made(nothing)
    for start in range(0, len(body), pieces):
        connection.data_received(body[start : start + pieces])


HTTP: dict[str, tuple[Body, int]] = {
    "requests": (filled(b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), SEEN),
    "requests with bodies": (filled(b"", HEAD + b"Content-Length: 1\r\n\r\nx"), SEEN),
    "offers of another protocol": (
        filled(b"", HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx"),
        SEEN,
    ),
    "a long query": (filled(b"GET /?", b"a=b&", b" HTTP/1.1\r\nHost: localhost\r\n\r\n"), SEEN),
    "headers": (filled(HEAD, b"a:\r\n", b"\r\n"), SEEN),
    "one long header": (filled(HEAD + b"X: ", b"x", b"\r\n\r\n"), SEEN),
    "a long host": (filled(b"GET / HTTP/1.1\r\nHost: ", b"a.", b"\r\n\r\n"), SEEN),
    "empty lines": (filled(b"", b"\r\n"), SEEN),
    "a body in packets": (
        lambda length: HEAD + b"Content-Length: %d\r\n\r\n" % length + bytes(length),
        1400,
    ),
    "chunks of a byte": (filled(CHUNKED, b"1\r\nx\r\n", b"0\r\n\r\n"), SEEN),
    "chunks with extensions": (filled(CHUNKED, b"1;x=y\r\nx\r\n", b"0\r\n\r\n"), SEEN),
    "a long extension": (filled(CHUNKED + b"1;", b"x", b"\r\nx\r\n0\r\n\r\n"), SEEN),
    "zeros before a length": (filled(CHUNKED, b"0", b"1\r\nx\r\n0\r\n\r\n"), SEEN),
    "trailers": (filled(CHUNKED + b"0\r\n", b"a: b\r\n", b"\r\n"), SEEN),
    "a long trailer": (filled(CHUNKED + b"0\r\nX: ", b"x", b"\r\n\r\n"), SEEN),
}
# Each piece costs a call, so many small ones are slow; what may not grow is the cost of one.
PIECES: dict[str, tuple[Body, int]] = {
    "a query byte by byte": (filled(b"GET /?", b"a", b" HTTP/1.1\r\nHost: localhost\r\n\r\n"), 1),
    "a header byte by byte": (filled(HEAD + b"X: ", b"x", b"\r\n\r\n"), 1),
    "a name byte by byte": (filled(HEAD, b"x", b": x\r\n\r\n"), 1),
    "a body byte by byte": (
        lambda length: HEAD + b"Content-Length: %d\r\n\r\n" % length + bytes(length),
        1,
    ),
    "chunks byte by byte": (filled(CHUNKED, b"1\r\nx\r\n", b"0\r\n\r\n"), 1),
}
