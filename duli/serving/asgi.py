"""The ASGI entry, `uvicorn NAME.asgi:app`: the addresses and answers of the built-in server.

Importing it loads nothing. Each process verifies the package and loads the model when its server
starts it, or at the first request where the server does not announce its start. The server brings
TLS, HTTP/2 and processes; the environment says the rest (settings.py).
"""

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from . import metrics, settings
from .errors import InputError, IntegrityError, ReleaseError
from .hosts import REFUSAL, Hosts
from .integrity import verify, vouch
from .messages import Parts, Request, Response, failure

PACKAGE = Path(__file__).resolve().parent
BODY_SECONDS = 10.0  # for a body to arrive; that of a head is the server's to bound
SEND_SECONDS = 10.0  # for a client to take a part of an answer
DRAIN_SECONDS = 30.0  # for everything begun to end once the server stops
DRAIN_STEP = 0.01  # seconds between two looks
# What the routes read. Said twice, each means two things; a request's name does not matter so much.
ONCE = frozenset(
    (
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"inference-header-content-length",
    )
)
WANTED = ONCE | {b"x-request-id"}

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Refused(Exception):  # noqa: N818 -- an answer, nobody's error
    """The answer to a request that reaches no route."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.response = failure(status, message)


class Served:
    """The application of one event loop, and its open requests."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings.read({}, os.environ)
        contents = verify(folder)
        vouched = vouch(folder, contents, self.settings.release, self.settings.key)
        from .accesslog import AccessLog
        from .predictor import Predictor
        from .server import Application

        predictor = Predictor(folder, threads=1)
        if predictor.contents != contents:
            raise IntegrityError(
                "the package was changed while it was loaded; verify it, start again"
            )
        self.hosts = Hosts(self.settings.allow_host)
        log = AccessLog() if self.settings.access_log else None
        shared = self.settings.metrics_dir
        release = f"{predictor.release['name']}-{predictor.release['version']}"
        try:
            memories = metrics.kept(shared, release) if shared else None
        except OSError as error:
            raise InputError(
                f"the environment's DULI_METRICS_DIR: {shared} cannot be used ({error.strerror});"
                " name a folder that can be written to",
            ) from None
        self.application = Application(predictor, vouched, log, memories)
        self.requests = 0

    async def stop(self) -> None:
        """Returns once the open requests are answered."""
        loop = asyncio.get_running_loop()
        self.application.ready = False
        until = loop.time() + DRAIN_SECONDS
        while self.requests and loop.time() < until:
            await asyncio.sleep(DRAIN_STEP)
        self.application.stop()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; the request of a disconnected client is dropped."""
        self.requests += 1
        try:
            try:
                request = await self._read(scope, receive)
            except Refused as refused:
                response, seconds, request = refused.response, 0.0, None
            else:
                if request is None:
                    return
                response = await self._handled(request)
                if not isinstance(response.body, bytes):
                    await self._in_parts(request, response, response.body, receive, send)
                    return
                seconds = time.perf_counter() - request.started
            self.application.finished(request, response.status, seconds)
            await _sent(response, send, body=scope["method"] != "HEAD")
        finally:
            self.requests -= 1

    async def _in_parts(
        self, request: Request, response: Response, parts: Parts, receive: Receive, send: Send
    ) -> None:
        """Sends an answer in parts until its end, or until the client has gone.

        An exception tells the server to end the connection: the answer is not complete.
        """
        sending = asyncio.create_task(_parts(request, response, parts, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.wait((sending, gone))
            await parts.aclose()
            seconds = time.perf_counter() - request.started
            self.application.finished(request, response.status, seconds)

    async def _read(self, scope: Scope, receive: Receive) -> Request | None:
        """The whole request, or None if its client has gone; raises `Refused`."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in ONCE:
                raise Refused(400, f"the header {name.decode()} is there twice; send it once")
            if name in WANTED:
                headers[name] = value
        url = _url(scope)
        host = headers.get(b"host")
        if host is None and scope.get("http_version") != "1.0":
            raise Refused(400, "the header Host is missing; send it")
        if host is not None and not self.hosts.allowed(host, url.partition(b"?")[0]):
            raise Refused(421, REFUSAL)
        length = headers.get(b"content-length", b"0").strip()  # uvicorn leaves blanks at its end
        most = self.settings.max_body
        too_long = Refused(413, f"the body is longer than {most:,} bytes; send less at once")
        if not length.isdigit() or int(length[:20]) > most:
            raise too_long
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(
                415,
                "compressed requests are not read; send the body as it is, without"
                " Content-Encoding",
            )
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    pieces.append(message.get("body", b""))
                    size += len(pieces[-1])
                    if size > most:
                        raise too_long
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(
                408,
                f"the body did not arrive in {BODY_SECONDS:g} seconds; send it faster or in parts",
            ) from None
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        method = scope["method"].encode("ascii", "replace")
        started = time.perf_counter()  # uvloop's clock counts milliseconds
        return Request(method, url, headers, body, keep=True, started=started)

    async def _handled(self, request: Request) -> Response:
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def reply(response: Response) -> None:
            if not answered.done():
                answered.set_result(response)

        try:
            self.application.handle(request, reply)
        except Exception:  # noqa: BLE001 -- a mistake of ours must cost one answer, not the server
            traceback.print_exc(file=sys.stderr)
            return failure(500, "this is a fault of the server; its own output says which")
        return await answered


class Entry:
    """The ASGI application of the package in `folder`, for any number of event loops."""

    def __init__(self, folder: Path = PACKAGE) -> None:
        self.folder = folder
        self._served: dict[asyncio.AbstractEventLoop, Served] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                served = self._started()
            except Exception as error:  # noqa: BLE001 -- what cannot be trusted answers nothing
                print(_reason(error), file=sys.stderr, flush=True)
                told = "the server could not be started; its own output says why"
                await _sent(failure(503, told), send)
                return
            await served.answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:  # a WebSocket, which nothing here speaks
            await send({"type": "websocket.close"})

    def _started(self) -> Served:
        """The application of this event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._served:
            self._served[loop] = Served(self.folder)
        return self._served[loop]

    async def _live(self, receive: Receive, send: Send) -> None:
        """Starts before the server does, and stops after it."""
        await receive()
        try:
            served = self._started()
        except Exception as error:  # noqa: BLE001 -- whatever goes unsaid, a server takes for a yes
            await send({"type": "lifespan.startup.failed", "message": _reason(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await served.stop()
        del self._served[asyncio.get_running_loop()]
        await send({"type": "lifespan.shutdown.complete"})


def _url(scope: Scope) -> bytes:
    """Path and query as they were sent, without the mount point of the server."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    path = path.partition(b"?")[0].removeprefix(scope.get("root_path", "").rstrip("/").encode())
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path


def _reason(error: Exception) -> str:
    """The reason why nothing is served, in one line."""
    if isinstance(error, ModuleNotFoundError):
        extra = f"{PACKAGE.name.replace('_', '-')}[asgi]"
        return f"the ASGI entry needs {error.name}, which an extra brings: pip install '{extra}'"
    if isinstance(error, ReleaseError):
        return str(error)
    return f"{type(error).__name__}: {error}"


async def _sent(response: Response, send: Send, *, body: bool = True) -> None:
    content = response.body
    assert isinstance(content, bytes)
    try:
        await send(_start(response, (b"content-length", b"%d" % len(content))))
        await send({"type": "http.response.body", "body": content if body else b""})
    except OSError:  # the client has gone
        return


async def _parts(request: Request, response: Response, parts: Parts, send: Send) -> None:
    """Sends the parts of an answer; raises `TimeoutError` if the client does not take one."""
    try:
        await send(_start(response))
        if request.method != b"HEAD":
            async for part in parts:
                request.sent += len(part)
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise


async def _gone(receive: Receive) -> None:
    """Returns once the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(response: Response, *further: tuple[bytes, bytes]) -> dict[str, Any]:
    """The message with the status and the headers."""
    headers = [
        (b"content-type", response.kind),
        *further,
        (b"x-content-type-options", b"nosniff"),
    ]
    for line in response.head.splitlines():
        name, _, value = line.partition(b": ")
        headers.append((name, value))
    return {"type": "http.response.start", "status": response.status, "headers": headers}


app = Entry()
