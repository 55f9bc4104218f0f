"""Requests and answers, as the routes know them: whichever server carries them."""

import json
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, TypeAlias

# The parts of an answer, which are sent as they come and no faster than the client takes them. It
# is closed when the client goes away.
Parts: TypeAlias = AsyncGenerator[bytes, None]


class Response(NamedTuple):
    """The answer to a request; `head` holds further header lines, each ended by CR LF."""

    status: int
    body: bytes | Parts
    kind: bytes = b"application/json"
    head: bytes = b""


class Request:
    """A complete request.

    Whoever answers it may say for the log: `route`, the address that was asked for; `examples`, how
    many the model is given; `identity`, the name of the request; `sent`, the bytes of the answer.
    The server adds to these what it sends of `Parts`.
    """

    __slots__ = (
        "body",
        "examples",
        "headers",
        "identity",
        "keep",
        "method",
        "path",
        "query",
        "route",
        "sent",
        "started",
    )

    def __init__(
        self,
        method: bytes,
        url: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        keep: bool,
        started: float,
    ) -> None:
        self.method, self.headers, self.body = method, headers, body
        self.keep, self.started = keep, started
        self.path, _, query = url.partition(b"?")
        self.query = query.partition(b"#")[0]
        self.route = "other"
        self.identity = b""
        self.examples = self.sent = 0


Reply = Callable[[Response], None]


def failure(status: int, message: str, head: bytes = b"") -> Response:
    """A refusal: one line that says what was wrong and what to do."""
    return Response(status, json.dumps({"error": message}).encode(), head=head)
