"""Access log: one JSON object per request and line, with time, client, request and outcome."""

import json
import re
import sys
from datetime import UTC, datetime
from typing import TextIO
from uuid import uuid4

from .messages import Reply, Request, Response

SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")  # of a request's name: a client may send anything


def named(request: Request, reply: Reply) -> Reply:
    """A `reply` that names the request: by its own header X-Request-Id, or else by a new name."""
    given = request.headers.get(b"x-request-id", b"")
    request.identity = given if SANE.fullmatch(given) else uuid4().hex.encode()

    def answer(response: Response) -> None:
        if isinstance(response.body, bytes) and request.method != b"HEAD":
            request.sent = len(response.body)
        head = response.head + b"x-request-id: %b\r\n" % request.identity
        reply(response._replace(head=head))

    return answer


class AccessLog:
    """The log of a server in `file`; the server goes on when nobody reads it any more."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file: TextIO | None = file or sys.stdout

    def write(self, request: Request | None, status: int, seconds: float) -> None:
        """Logs an answer; `request` is None if none was understood."""
        if self._file is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {
            "time": now.replace("+00:00", "Z"),
            "id": request.identity.decode() if request else None,
            "method": request.method.decode("ascii", "replace") if request else None,
            "route": request.route if request else "other",
            "status": status,
            "seconds": round(seconds, 6),
            "bytes": request.sent if request else None,
            "examples": request.examples if request else 0,
        }
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except (OSError, ValueError) as error:  # a closed file is a ValueError
            self._file = None
            print(f"the access log ends: it cannot be written ({error})", file=sys.stderr)
