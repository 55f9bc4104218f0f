"""Answers in parts: sent as they are made, no faster than the client reads, and made no longer than
somebody waits for them.
"""

import asyncio
import io
import json
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from duli.serving import asgi, protocol
from duli.serving.accesslog import AccessLog
from duli.serving.asgi import Entry
from duli.serving.messages import Reply, Request, Response
from tests.packaging import tiny
from tests.serving.served import Served, serving
from tests.serving.test_asgi import Client, body, played, scope
from tests.serving.test_protocol import client, everything, wait

PART = bytes(2**16)


class Toy:
    """A route whose answers come in parts: words, or without end."""

    def __init__(self) -> None:
        self.made = 0  # parts
        self.ended = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, request: Request, reply: Reply) -> None:
        parts = {b"/words": self.words, b"/broken": self.broken, b"/endless": self.endless}
        reply(Response(200, parts[request.path](), b"text/plain"))

    async def words(self) -> AsyncGenerator[bytes, None]:
        """Three, and an empty one; the last once the test lets it."""
        try:
            for word in (b"one ", b"", b"two "):
                yield word
            while not self.go_on.is_set():
                await asyncio.sleep(0.01)
            yield b"three"
        finally:
            self.ended.set()

    async def broken(self) -> AsyncGenerator[bytes, None]:
        yield b"one "
        raise RuntimeError("a mistake of the task")

    async def endless(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                self.made += 1
                yield PART
        finally:
            self.ended.set()


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def served(toy: Toy) -> Iterator[Served]:
    with serving(toy) as one:
        yield one


def get(path: str, version: str = "1.1", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode()


def until(one: socket.socket, end: bytes) -> bytes:
    content = b""
    while not content.endswith(end):
        piece = one.recv(65536)
        assert piece, content
        content += piece
    return content


def test_parts_arrive_before_the_next_is_made(served: Served, toy: Toy) -> None:
    with client(served.port) as one:
        one.sendall(get("/words") + get("/words"))
        first = until(one, b"4\r\ntwo \r\n")
        assert b"transfer-encoding: chunked\r\n" in first
        assert b"content-length" not in first
        assert b"\r\n\r\n4\r\none \r\n4\r\n" in first
        assert not toy.ended.is_set()
        toy.go_on.set()
        # The next request of the connection is answered once this one is.
        rest = until(one, b"three\r\n0\r\n\r\n")
        while b"HTTP/1.1 200" not in rest or not rest.endswith(b"0\r\n\r\n"):
            rest += until(one, b"0\r\n\r\n")
        assert rest.index(b"0\r\n\r\n") < rest.index(b"HTTP/1.1 200")


@pytest.mark.parametrize("asked", [get("/words", "1.0"), get("/words", "1.0", "HEAD")])
def test_a_client_that_knows_no_chunks_reads_to_the_end(
    served: Served, toy: Toy, asked: bytes
) -> None:
    toy.go_on.set()
    with client(served.port) as one:
        one.sendall(asked)
        head, _, content = everything(one).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert content == (b"" if asked.startswith(b"HEAD") else b"one two three")


def test_a_mistake_leaves_the_answer_without_an_end(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    with client(served.port) as one:
        one.sendall(get("/broken"))
        with suppress(ConnectionResetError):
            assert not everything(one).endswith(b"0\r\n\r\n")
    assert "a mistake of the task" in capsys.readouterr().err


def test_a_client_that_reads_slowly_waits_for_itself(
    served: Served, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "WRITE_SECONDS", 0.5)
    with client(served.port) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        one.sendall(get("/endless"))
        assert toy.ended.wait(10)  # nothing was read in time
    assert toy.made * len(PART) < 2**24  # what the system holds of a connection
    wait(lambda: not served.service.connections)


def test_a_client_that_goes_away_ends_it(served: Served, toy: Toy) -> None:
    with client(served.port) as one:
        one.sendall(get("/endless"))
        one.recv(1000)
    assert toy.ended.wait(10)
    wait(lambda: not served.service.connections)
    toy.go_on.set()
    assert served.ask("GET", "/words")[1] == b"one two three"


def test_the_log_counts_its_bytes(toy: Toy, tmp_path: Path) -> None:
    toy.go_on.set()
    file = io.StringIO()
    with serving(package=tiny.package(tmp_path / "bright_row"), log=AccessLog(file)) as one:
        one.application._routes[b"/words"] = {b"GET": toy}
        one.application.metrics.requests |= {"/words": one.application.metrics.requests["other"]}
        one.application.metrics.seconds |= {"/words": one.application.metrics.seconds["other"]}
        assert one.ask("GET", "/words")[1] == b"one two three"
        wait(lambda: bool(file.getvalue()))
    assert json.loads(file.getvalue())["bytes"] == 13


# ASGI


def with_toy(entry: Entry, toy: Toy) -> None:
    """Lets the toy answer whatever the application is asked."""
    entry._started().application.handle = toy  # type: ignore[method-assign]


def content(sent: list[dict[str, Any]]) -> tuple[bytes, list[bool]]:
    """What a client was sent, and of each message whether more follows."""
    parts = [one for one in sent if one["type"] == "http.response.body"]
    return b"".join(one["body"] for one in parts), [one.get("more_body", False) for one in parts]


def test_an_asgi_server_gets_them_one_by_one(tmp_path: Path, toy: Toy) -> None:
    toy.go_on.set()

    async def play(entry: Entry) -> None:
        with_toy(entry, toy)
        one = Client(body(b""))
        await entry(scope("GET", "/words"), one.receive, one.send)
        assert content(one.sent) == (b"one two three", [True, True, True, True, False])
        assert b"content-length" not in dict(one.sent[0]["headers"])
        two = Client(body(b""))
        await entry(scope("HEAD", "/words"), two.receive, two.send)
        assert content(two.sent) == (b"", [False])

    played(play, tiny.package(tmp_path / "bright_row"))


def test_a_client_of_an_asgi_server_that_goes_away_ends_it(tmp_path: Path, toy: Toy) -> None:
    async def play(entry: Entry) -> None:
        with_toy(entry, toy)
        one = Client(body(b""))
        asking = asyncio.ensure_future(entry(scope("GET", "/words"), one.receive, one.send))
        await asyncio.sleep(0.1)  # it waits for the third word, which never comes
        assert not asking.done()
        one.messages.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(asking, 5)
        assert toy.ended.is_set()

    played(play, tiny.package(tmp_path / "bright_row"))


def test_a_client_of_an_asgi_server_that_does_not_read_ends_it(
    tmp_path: Path, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "SEND_SECONDS", 0.05)

    async def play(entry: Entry) -> None:
        with_toy(entry, toy)
        one = Client(body(b""))

        async def stuck(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                await asyncio.sleep(60)

        with pytest.raises(TimeoutError):
            await entry(scope("GET", "/endless"), one.receive, stuck)
        assert toy.ended.is_set()

    played(play, tiny.package(tmp_path / "bright_row"))
