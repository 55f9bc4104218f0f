"""HTTP/1.1 for untrusted clients: httptools parses, this module bounds bytes, time and connections.

An ASGI server hands a request over when its head is complete, so no application can hurry a client
that sends none; here every connection has a deadline in every state. Requests of one connection are
answered in their order, one at a time.
"""

import asyncio
import re
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from math import inf
from typing import Any

import httptools

from .hosts import REFUSAL, Hosts
from .messages import Parts, Reply, Request, Response, failure

MAX_HEAD = 16 * 1024  # bytes of a request line and headers, or around chunks, to within a PIECE
PIECE = 4096  # bytes that the parser is given at once
CHUNK = 16  # bytes around a chunk that count for nothing: its length and the ends of its lines
MAX_CONNECTIONS = 1000
MAX_PIPELINED = 64  # requests that wait on one connection before it is read no further
# from the first byte of a request to the last of its head; from there to its end
HEAD_SECONDS, BODY_SECONDS = 5.0, 10.0
IDLE_SECONDS = 60.0  # between two requests of a connection
WRITE_SECONDS = 10.0  # for a client to take what it was sent
# in which what a refused client still sends is thrown away, so that it can read why
LINGER_SECONDS = 1.0
LINGER_BYTES = 8 * 2**20  # and how many of them
ARRIVAL_SECONDS = 1.0  # that a request may take to arrive before it makes room for others
SWEEP_SECONDS = 0.25  # between two looks at all deadlines
# that an idle connection is kept while the server stops: a request may be on its way
QUIET_SECONDS = 0.3
DRAIN_SECONDS = 30.0  # for everything begun to end once the server stops
# authority, path and query
ABSOLUTE = re.compile(rb"https?://([^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE)
WANTED = frozenset(
    (
        b"host",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"expect",
        b"inference-header-content-length",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    )
)


@lru_cache(maxsize=256)
def _opening(status: int, kind: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nserver: duli\r\nx-content-type-options:"
        " nosniff\r\n".encode()
        + (b"content-type: " + kind + b"\r\n")
    )


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


class Service:
    """All connections of a server. `handle(request, reply)` has to call `reply` exactly once, at
    once or later.

    `finished(request, status, seconds)` is told of every answer.
    """

    def __init__(
        self,
        handle: Callable[[Request, Reply], None],
        finished: Callable[[Request | None, int, float], None],
        max_body: int,
        hosts: Hosts | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.handle, self.finished, self.max_body, self.max_connections = (
            handle,
            finished,
            max_body,
            max_connections,
        )
        self.connections: set[Connection] = set()
        self.draining = False
        self.loop = asyncio.get_running_loop()
        self.hosts = hosts or Hosts()

    def make_room(self) -> bool:
        """Ends the connection that has let the server wait longest, idle ones first.

        False where all are at work.
        """
        latest = self.loop.time() - ARRIVAL_SECONDS
        waiting = [
            one
            for one in self.connections
            if one.waits and (one.state == "idle" or one.since < latest)
        ]
        if not waiting:
            return False
        longest = min(waiting, key=lambda one: (one.state != "idle", one.since))
        longest.abort()
        self.connections.discard(longest)
        return True

    async def run(
        self, sockets: list[Any], stop: asyncio.Event, started: Callable[[], None]
    ) -> None:
        """Serves on the listening `sockets` until `stop`, then answers open requests
        and returns.
        """
        servers = [
            await self.loop.create_server(lambda: Connection(self), sock=one, backlog=1024)
            for one in sockets
        ]
        sweeper = self.loop.create_task(self._sweep())
        started()
        await stop.wait()
        # what the kernel has accepted is ours: take it in before the door closes
        await asyncio.sleep(0.001)
        for server in servers:
            server.close()
        self.draining = True
        until = self.loop.time() + DRAIN_SECONDS
        for connection in list(self.connections):
            connection.drain()
        while self.connections and self.loop.time() < until:
            await asyncio.sleep(0.01)
        sweeper.cancel()
        for connection in list(self.connections):
            connection.abort()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS if not self.draining else SWEEP_SECONDS / 5)
            now = self.loop.time()
            for connection in [one for one in self.connections if one.deadline < now]:
                connection.expire()


class Connection(asyncio.Protocol):
    """The connection of one client."""

    __slots__ = (
        "body",
        "busy",
        "closing",
        "deadline",
        "ended",
        "expects",
        "full",
        "head",
        "headers",
        "keep",
        "last",
        "method",
        "offered",
        "old",
        "parser",
        "paused",
        "pending",
        "received",
        "request",
        "resumed",
        "service",
        "since",
        "size",
        "starting",
        "state",
        "stream",
        "transport",
        "url",
    )

    def __init__(self, service: Service) -> None:
        self.service = service
        self.parser = httptools.HttpRequestParser(self)
        self.pending: deque[Request] = deque()
        self.busy = self.closing = self.paused = self.starting = False
        self.ended = False  # whether the client has said that it sends no more, or asks no more
        self.full = False  # whether so many requests wait that no more are read
        self.request: Request | None = None
        self.stream: asyncio.Task[None] | None = None  # sends the parts of an answer
        self.resumed = asyncio.Event()  # while the client takes what it is sent
        self.resumed.set()
        self.last: Response | None = None  # a refusal, to be sent after the answers that are owed
        self.since = service.loop.time()  # since when the server has waited for this client
        self.deadline = inf
        self.old = False  # whether the client speaks HTTP/1.0, and has to be told that it may go on
        # whether the request that is arriving has a body, but offers another protocol for what
        # follows its head
        self.offered = False
        self.url = b""
        self.head = True  # whether the next byte belongs to the head of a request
        self.received = 0  # bytes of that head, or around the chunks of a body
        self.state = "idle"  # or head, body: of the request that is arriving
        self._forget()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        service = self.service
        if len(service.connections) >= service.max_connections and not service.make_room():
            service.finished(None, 503, 0.0)
            transport.write(
                _written(
                    failure(
                        503, "too many connections; try again in a second", b"retry-after: 1\r\n"
                    ),
                    close=True,
                )
            )
            transport.close()
            self.closing = True
            return
        service.connections.add(self)
        self.deadline = service.loop.time() + HEAD_SECONDS
        if service.draining:
            self.drain()

    def connection_lost(self, _: Exception | None) -> None:
        self.closing = True
        self.pending.clear()
        self.service.connections.discard(self)
        if self.stream:
            self.stream.cancel()

    def data_received(self, data: bytes) -> None:
        if self.closing:
            self.size += len(data)
            if self.size > LINGER_BYTES:
                self.abort()
            return
        view, position = memoryview(data), 0
        while position < len(view) and not (self.refused or self.ended):
            piece = view[position : position + self._at_once()]
            position += len(piece)
            self.received += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                position += upgrade.args[0] - len(piece)
                self._decline()
            except httptools.HttpParserError:
                self._refuse(400, "this is no HTTP/1.1 request; use an HTTP client")
            if self.received > MAX_HEAD and self.head:
                self._refuse(
                    431,
                    f"the head of the request is longer than {MAX_HEAD:,} bytes; send fewer or"
                    " shorter headers",
                )
            elif self.received > MAX_HEAD:
                self._refuse(
                    413,
                    f"more than {MAX_HEAD:,} bytes stand around the chunks; send no extensions and"
                    " no trailers",
                )
            self.received = max(self.received, 0)
        if len(self.pending) > MAX_PIPELINED and not self.closing and not self.full:
            self.full = True
            self.transport.pause_reading()

    def _at_once(self) -> int:
        """Bytes the parser is given at once: what is too long must not slip through because it came
        so.
        """
        if self.head or b"content-length" not in self.headers:
            return PIECE
        return max(PIECE, int(self.headers[b"content-length"]) - self.size)

    def _decline(self) -> None:
        """Ignores an offer of another protocol.

        A new parser gets the head without it where the body is still to be read.
        """
        spent, self.parser = self.parser, httptools.HttpRequestParser(self)
        if not self.offered:
            return
        lines = [
            b"%b %b HTTP/%b" % (self.method, self.url, spent.get_http_version().encode()),
            *(b"%b: %b" % header for header in self.headers.items() if header[0] != b"upgrade"),
            b"connection: keep-alive" if spent.should_keep_alive() else b"connection: close",
        ]
        self.offered = False
        self._forget()
        self.parser.feed_data(b"\r\n".join([*lines, b"\r\n"]))

    @property
    def refused(self) -> bool:
        """Whether nothing more is read from this client."""
        return self.closing or self.last is not None

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn."""
        return not (self.busy or self.pending or self.paused or self.closing)

    def eof_received(self) -> bool:
        """A client that has sent all may still wait for answers."""
        self.ended = True
        return (self.busy or bool(self.pending)) and not self.closing

    def pause_writing(self) -> None:
        self.paused = True
        self.resumed.clear()
        self.deadline = self.service.loop.time() + WRITE_SECONDS

    def resume_writing(self) -> None:
        self.paused = False
        self.resumed.set()
        if self.busy:  # an answer is sent in parts, of which more follow
            self.deadline = inf
            return
        self._rest()
        self._next()
        self._encourage()

    # What the parser calls, in this order.

    def on_message_begin(self) -> None:
        self.state = "head"
        if not (self.busy or self.paused):
            self.since = self.service.loop.time()
            self.deadline = self.since + HEAD_SECONDS

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head:  # a trailer, which comes too late to say anything of its request
            return
        name = name.lower()
        if name in WANTED:
            if name in self.headers and name != b"x-request-id":  # that one only names the request
                self._refuse(400, f"the header {name.decode()} is there twice; send it once")
            self.headers[name] = value

    def on_headers_complete(self) -> None:
        if self.refused:
            return
        headers = self.headers
        self.method = self.parser.get_method()
        has_body = b"content-length" in headers or b"transfer-encoding" in headers
        if (
            b"upgrade" in headers
            and has_body
            and self.method != b"CONNECT"
            and self.parser.should_upgrade()
        ):
            self.offered = True  # the parser would take the body for the other protocol
            return
        self.head = False
        self.received = 0
        self.keep = self.parser.should_keep_alive()
        version = self.parser.get_http_version()
        self.old = version == "1.0"
        host = headers.get(b"host")
        if (
            not self.url.startswith(b"/")
            and self.url != b"*"
            and (absolute := ABSOLUTE.fullmatch(self.url))
        ):
            host, path = absolute[1], absolute[2]  # which says more than the header Host
            self.url = path if path.startswith(b"/") else b"/" + path
        if self.method == b"CONNECT":
            self._refuse(
                405,
                "this server is no proxy; ask it for an address of its own",
                b"allow: GET, HEAD, POST\r\n",
            )
        elif version not in ("1.0", "1.1") or (self.old and b"transfer-encoding" in headers):
            self._refuse(400, "this is no HTTP/1.1 request; use an HTTP client")
        elif b"host" not in headers and not self.old:
            self._refuse(400, "the header Host is missing; send it")
        elif headers.get(b"transfer-encoding", b"chunked").strip().lower() != b"chunked":
            self._refuse(
                501, "the only Transfer-Encoding read here is chunked; send the body as it is"
            )
        elif host is not None and not self.service.hosts.allowed(host, self.url.partition(b"?")[0]):
            self._refuse(421, REFUSAL)
        elif int(headers.get(b"content-length", 0)) > self.service.max_body:
            self._too_long()
        elif headers.get(b"content-encoding", b"identity").lower() != b"identity":
            self._refuse(
                415,
                "compressed requests are not read; send the body as it is, without"
                " Content-Encoding",
            )
        else:
            self.state = "body"
            if not (self.busy or self.paused):
                self.deadline = self.service.loop.time() + BODY_SECONDS
            self.expects = headers.get(b"expect", b"").lower() == b"100-continue" and not self.old
            self._encourage()

    def _encourage(self) -> None:
        """Sends 100 Continue to a client that waits for it, once its body is due."""
        if self.expects and self.waits:
            self.expects = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        if self.refused:
            return
        self.size += len(data)
        self.received -= len(data)
        if self.size > self.service.max_body:
            self._too_long()
        else:
            self.body += data

    def on_chunk_complete(self) -> None:
        self.received -= CHUNK

    def on_message_complete(self) -> None:
        if self.refused or self.offered:
            return
        request = Request(
            self.method,
            self.url,
            self.headers,
            bytes(self.body),
            self.keep,
            self.service.loop.time(),
        )
        self.ended = self.ended or not self.keep
        self._forget()
        self.head = True
        self.state = "idle"
        self.pending.append(request)
        self._next()

    # Answers.

    def _next(self) -> None:
        """Lets the requests that wait be answered, one after the other."""
        if self.starting:
            return
        self.starting = True
        while self.pending and not (self.busy or self.paused or self.closing):
            self.busy = True
            self.deadline = inf
            self.request = request = self.pending.popleft()
            try:
                self.service.handle(request, self.answer)
            except Exception:  # noqa: BLE001 -- a mistake of ours must cost one answer, not the server
                traceback.print_exc(file=sys.stderr)
                self.answer(
                    failure(500, "this is a fault of the server; its own output says which")
                )
        self.starting = False

    def answer(self, response: Response) -> None:
        """Sends the answer to the request at work and takes up the next."""
        request = self.request
        if not self.busy or request is None or self.stream:
            return
        if not isinstance(response.body, bytes):
            sending = self._sent(request, response, response.body)
            self.stream = self.service.loop.create_task(sending)
            return
        self._finished(request, response.status)
        if self.closing:
            return
        close = self._last_of(request)
        self.transport.write(
            _written(response, close=close, body=request.method != b"HEAD", old=self.old)
        )
        self._go_on(close=close)

    def _finished(self, request: Request, status: int) -> None:
        self.busy = False
        self.service.finished(request, status, self.service.loop.time() - request.started)

    def _last_of(self, request: Request) -> bool:
        """Whether the connection ends with the answer to `request`."""
        more = self.pending or self.last is not None
        return not more and (not request.keep or self.ended or self.service.draining)

    async def _sent(self, request: Request, response: Response, parts: Parts) -> None:
        """Sends an answer in parts, as chunks where the client knows them.

        One that is not complete ends the connection without the last chunk, which tells the client.
        """
        close = self.old or self._last_of(request)
        complete = False
        try:
            if not self.closing:
                framing = b"" if self.old else b"transfer-encoding: chunked\r\n"
                self.transport.write(_head(response, framing, close=close, old=self.old))
                if request.method != b"HEAD":
                    await self._parts(request, parts)
                complete = True
        except Exception:  # noqa: BLE001 -- a mistake of ours must cost one answer, not the server
            traceback.print_exc(file=sys.stderr)
        finally:
            self.stream = None
            self._finished(request, response.status)
            if not complete:
                self.abort()
            await parts.aclose()
        if not self.closing:
            self._go_on(close=close or self._last_of(request))

    async def _parts(self, request: Request, parts: Parts) -> None:
        async for part in parts:
            if part:
                request.sent += len(part)
                chunk = part if self.old else b"%x\r\n%b\r\n" % (len(part), part)
                self.transport.write(chunk)
            await self.resumed.wait()
        if not self.old:
            self.transport.write(b"0\r\n\r\n")

    def _go_on(self, *, close: bool) -> None:
        """Continues after an answer: ends the connection, or starts the next request."""
        if close:
            self._leave()
            return
        if not self.paused:
            self._rest()
        if self.pending:
            self._next()
        elif self.last:
            self._dismiss(self.last)
        else:
            self._encourage()
        if self.full and len(self.pending) <= MAX_PIPELINED and not self.closing:
            self.full = False
            self.transport.resume_reading()

    def _rest(self) -> None:
        """The deadline of a connection that owes no answer."""
        self.since = self.service.loop.time()
        self.deadline = (
            self.since
            + {"idle": IDLE_SECONDS, "head": HEAD_SECONDS, "body": BODY_SECONDS}[self.state]
        )

    # Ends.

    def expire(self) -> None:
        """Its deadline has passed."""
        if self.closing or self.paused:
            self.abort()
        elif self.state == "idle":
            self._leave()
        else:
            self._refuse(
                408,
                f"the request did not arrive within {HEAD_SECONDS:g} + {BODY_SECONDS:g} seconds;"
                " send it faster or in parts",
            )

    def drain(self) -> None:
        """The server stops: what has begun is answered, what has not is given a moment to
        arrive.
        """
        if not self.busy and not self.pending and self.state == "idle":
            self.deadline = min(self.deadline, self.service.loop.time() + QUIET_SECONDS)

    def abort(self) -> None:
        self.closing = True
        self.transport.abort()

    def _leave(self) -> None:
        self.closing = True
        self.deadline = self.service.loop.time() + WRITE_SECONDS
        self.transport.close()

    def _too_long(self) -> None:
        self._refuse(
            413, f"the body is longer than {self.service.max_body:,} bytes; send less at once"
        )

    def _refuse(self, status: int, message: str, head: bytes = b"") -> None:
        """Answers in the place of a request that is not taken, after those that are owed, and reads
        no further.
        """
        if self.refused:
            return
        self.service.finished(None, status, 0.0)
        self.last = failure(status, message, head)
        if not self.busy and not self.pending:
            self._dismiss(self.last)

    def _dismiss(self, last: Response) -> None:
        """Closed at once, the connection would be reset by what the client still sends, and `last`
        lost.
        """
        self.closing = True
        self.transport.write(_written(last, close=True, body=self.method != b"HEAD"))
        self.transport.write_eof()
        self.size = 0
        self.deadline = self.service.loop.time() + LINGER_SECONDS

    def _forget(self) -> None:
        """Makes room for the next request."""
        self.url = self.method = b""
        self.headers: dict[bytes, bytes] = {}
        self.body = bytearray()
        self.size = 0
        self.received = 0
        self.expects = False


def _written(response: Response, *, close: bool, body: bool = True, old: bool = False) -> bytes:
    content = response.body
    assert isinstance(content, bytes)
    head = _head(response, b"content-length: %d\r\n" % len(content), close=close, old=old)
    return head + content if body else head


def _head(response: Response, framing: bytes, *, close: bool, old: bool) -> bytes:
    return b"".join(
        (
            _opening(response.status, response.kind),
            framing,
            b"date: %b\r\n" % _date(int(time.time())),
            response.head,
            (
                b"connection: close\r\n\r\n"
                if close
                else b"connection: keep-alive\r\n\r\n"
                if old
                else b"\r\n"
            ),
        )
    )
