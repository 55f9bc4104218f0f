"""Our server's protocol with nothing behind it: takes a request, gives the same bytes back. `python
-m benchmarks.serve_constant PORT`.
"""

import asyncio
import sys

import uvloop

from duli.serving.messages import Reply, Request, Response
from duli.serving.protocol import Service
from duli.serving.workers import listen

# as long as a real one
ANSWER = Response(
    200, bytes(300), b"application/octet-stream", b"inference-header-content-length: 255\r\n"
)


def handle(_: Request, reply: Reply) -> None:
    """Answers."""
    reply(ANSWER)


async def serve() -> None:
    service = Service(handle, lambda *_: None, 2**21)
    await service.run([listen("127.0.0.1", int(sys.argv[1]))], asyncio.Event(), lambda: None)


if __name__ == "__main__":
    uvloop.run(serve())
