"""A server of a tiny release on a free port, in a thread of this process or as a process of its
own.
"""

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from duli.serving import protocol, server, workers
from duli.serving.predictor import Predictor


class Served(NamedTuple):
    """A running server."""

    port: int
    application: Any
    service: Any

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body (parsed where it is JSON) and headers of one request; `body` is bytes or
        becomes JSON.
        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body, sent = json.dumps(body).encode(), {"content-type": "application/json", **sent}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        parsed = (
            json.loads(content)
            if found["content-type"] == "application/json" and content
            else content
        )
        return response.status, parsed, found


@contextmanager
def serving(
    handle: Callable[..., None] | None = None,
    package: Path | None = None,
    max_body: int = 2**16,
    max_connections: int = protocol.MAX_CONNECTIONS,
    **options: Any,
) -> Iterator[Served]:
    """A server in a thread: of `package`, or one whose every request goes to `handle(request,
    reply)`.
    """
    ready = threading.Event()
    found: list[Any] = []

    async def run() -> None:
        stop = asyncio.Event()
        application: Any = (
            server.Application(Predictor(package, 1), "UNSIGNED", **options) if package else None
        )
        answer, finished = (
            (application.handle, application.finished) if application else (handle, lambda *_: None)
        )
        service = protocol.Service(answer, finished, max_body, max_connections=max_connections)
        listening = workers.listen("127.0.0.1", 0)
        loop = asyncio.get_running_loop()

        def started() -> None:
            found.extend(
                (
                    Served(listening.getsockname()[1], application, service),
                    lambda: loop.call_soon_threadsafe(stop.set),
                )
            )
            ready.set()

        await service.run([listening], stop, started)
        if application:
            application.stop()

    thread = threading.Thread(target=lambda: uvloop.run(run()))
    thread.start()
    assert ready.wait(30)
    one, end = found
    try:
        yield one
    finally:
        end()
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def process(package: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """`NAME serve` of the installed `package` as a process, and its port."""
    command = [sys.executable, "-m", package.name, "serve", "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", started.stdout.readline())
            assert found, started.stderr.read() if started.stderr else ""
            yield started, int(found[1])
        finally:
            started.kill()
