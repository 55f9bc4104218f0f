"""The server of a release: which address answers what, and how the built-in server runs."""

import asyncio
import json
import math
import signal
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson  # noqa: F401 -- `bodies` needs it for the first request; whoever lacks it hears so at the start

from . import kind as kinds
from . import metrics, openinference
from . import task as tasks
from .accesslog import AccessLog, named
from .batching import Batcher, Outcome, Overloaded
from .bodies import Asked
from .errors import InputError, ReleaseError
from .hosts import Hosts
from .integrity import CARD
from .messages import Reply, Request, Response, failure
from .openapi import describe
from .predictor import Predictor
from .settings import Settings
from .task import Wish
from .workers import Worker

JSON = b"application/json"
CSV = b"text/csv"
SCRIPT = b"text/javascript; charset=utf-8"
PAGE = {
    b"/page.css": ("page.css", b"text/css; charset=utf-8"),
    b"/page.js": ("page.js", SCRIPT),
}
HTML = "page.html"
ASKS = b"<!-- what asks: the part of this kind of data -->"
SHOWS = b"<!-- what shows an answer: the part of this task -->"
# Nothing from elsewhere, nothing inline, in nobody's frame; pictures that are dropped are data of
# the page itself.
POLICY = (
    b"content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src"
    b" 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors"
    b" 'none'\r\nreferrer-policy: no-referrer\r\ncross-origin-opener-policy:"
    b" same-origin\r\ncross-origin-resource-policy: same-origin\r\ncache-control: no-cache\r\n"
)
RETRY = b"retry-after: %d\r\n"
REFUSAL_SECONDS = 1.0  # that one sent away waits for it: many ask again at once, and cost much
GAUGE_SECONDS = 1.0  # between two times that a process tells the others how much it has
METHODS = b"allow: GET, HEAD, OPTIONS, POST\r\n"

Handler = Callable[[Request, Reply], None]


class Application:
    """The routes of the server."""

    def __init__(
        self,
        predictor: Predictor,
        vouched: str,
        log: AccessLog | None = None,
        memories: metrics.Memories | None = None,
    ) -> None:
        self.predictor = predictor
        release = predictor.release
        self.name, self.version = release["name"], release["version"]
        self.kind, self.task = predictor.kind, predictor.task
        self.ready = True
        self.connections: Callable[[], int] = lambda: 0
        self._routes = self._made(vouched)
        things = self.kind.words.things
        self.metrics = metrics.Metrics(
            self.name,
            self.version,
            things,
            [path.decode() for path in self._routes],
            {
                f"model_queued_{things}": (
                    f"{things.capitalize()} that wait for the model.",
                    lambda: self.batcher.queued,
                ),
                "http_connections": ("Open connections.", lambda: float(self.connections())),
            },
            memories or metrics.alone(),
        )
        joined, work = self.kind.joined, self.kind.work
        self.batcher = Batcher(predictor.answers, self.metrics.batch, joined, work)
        self._log = log
        self._gauge()

    def _gauge(self) -> None:
        self.metrics.gauge()
        self._next = asyncio.get_running_loop().call_later(GAUGE_SECONDS, self._gauge)

    def stop(self) -> None:
        """Stops the background work; queued requests are not answered."""
        self._next.cancel()
        self.batcher.stop()

    def handle(self, request: Request, reply: Reply) -> None:
        """Answers `request` at once or when the model has answered."""
        if self._log:
            reply = named(request, reply)
        methods = self._routes.get(request.path)
        if methods is None:
            reply(
                failure(
                    404,
                    "there is nothing at this address; /openapi.json lists what there is (the"
                    f" model is {self.name})",
                )
            )
            return
        request.route = request.path.decode()
        handler = methods.get(b"GET" if request.method == b"HEAD" else request.method)
        if handler is None:
            allowed = b", ".join(methods)
            reply(
                failure(
                    405,
                    f"this address takes {allowed.decode()} alone",
                    b"allow: " + allowed + b"\r\n",
                )
            )
            return
        try:
            # asks the model: what is not admitted is not parsed either
            if request.method == b"POST":
                self.batcher.admit()
            handler(request, reply)
        except InputError as error:
            reply(failure(400, str(error)))
        except Overloaded as error:
            request.body = b""  # there may be many such requests
            loop = asyncio.get_running_loop()
            loop.call_later(REFUSAL_SECONDS, reply, _overloaded(error))

    def finished(self, request: Request | None, status: int, seconds: float) -> None:
        """Counts an answer, and logs it; `request` is None if none was understood."""
        self.metrics.finished(request.route if request else "other", status, seconds)
        if self._log:
            self._log.write(request, status, seconds)

    def _made(self, vouched: str) -> dict[bytes, dict[bytes, Handler]]:
        """The handlers by address and method."""
        predictor, contents = self.predictor, self.predictor.contents
        release, version = predictor.release, self.version
        kind, task = self.kind, self.task

        def fixed(body: bytes, kind: bytes = JSON, head: bytes = b"") -> dict[bytes, Handler]:
            response = Response(200, body, kind, head)
            return {b"GET": lambda _, reply: reply(response)}

        def said(facts: Any) -> dict[bytes, Handler]:
            return fixed(json.dumps(facts, ensure_ascii=False).encode())

        model = f"/v2/models/{self.name}".encode()
        told = ("name", "version", "title", "publisher", "licence", "kind")
        about = {
            **{key: release.get(key) for key in told},
            "things": kind.words.things,
            **kind.about,
            **task.about,
            "integrity": f"all {len(contents)} files are as released; {vouched}",
        }
        seen: dict[bytes, dict[bytes, Handler]] = {}
        if hasattr(kind, "seen"):
            seen[b"/pixels"] = {b"POST": partial(self._pixels, kind.seen)}
        page = contents[HTML].replace(ASKS, kinds.page(release, contents, "html"))
        page = page.replace(SHOWS, tasks.page(release, contents, "html"))
        scripts = {
            b"/ask.js": kinds.page(release, contents, "js"),
            b"/show.js": tasks.page(release, contents, "js"),
        }
        routes: dict[bytes, dict[bytes, Handler]] = {
            **{path: fixed(contents[name], media, POLICY) for path, (name, media) in PAGE.items()},
            b"/": fixed(page, b"text/html; charset=utf-8", POLICY),
            **{path: fixed(script, SCRIPT, POLICY) for path, script in scripts.items()},
            b"/about": said(about),
            b"/card": fixed(contents[CARD], b"text/plain; charset=utf-8", POLICY),
            b"/openapi.json": said(describe(release, kind, task)),
            b"/metrics": {b"GET": self._metrics},
            b"/ping": {b"GET": self._ready},
            b"/health": {b"GET": self._ready},
            b"/predict": {b"POST": self._predict},
            **seen,
            b"/invocations": {b"POST": self._invocations},
            b"/v2": said(openinference.server(self.name, version)),
            b"/v2/health/live": fixed(b"{}"),
            b"*": {b"OPTIONS": lambda _, reply: reply(Response(200, b"", head=METHODS))},
            b"/v2/health/ready": {b"GET": self._ready},
        }
        for address in (model, model + f"/versions/{version}".encode()):
            routes |= {
                address: said(openinference.model(self.name, version, kind, task)),
                address + b"/ready": {b"GET": self._ready},
                address + b"/infer": {b"POST": self._infer},
            }
        return routes

    def _ready(self, _: Request, reply: Reply) -> None:
        reply(
            Response(200, b"{}")
            if self.ready
            else failure(503, "the server is stopping", RETRY % 1)
        )

    def _metrics(self, _: Request, reply: Reply) -> None:
        reply(Response(200, self.metrics.text(), metrics.KIND))

    def _predict(self, request: Request, reply: Reply) -> None:
        wish = self.task.wish(request.query)
        media = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media == JSON:
            self._submit(request, self.kind.asked(request.body), wish, reply)
        elif media in self.kind.media:
            try:
                inputs = self.kind.body(request.body, media)
            except InputError as error:
                raise InputError(f"the body: {error}") from None
            self._submit(request, Asked(inputs, {}), wish, reply)
        else:
            known = b", ".join(sorted({JSON, *self.kind.media})).decode()
            reply(failure(415, f"this Content-Type is not read; send one of {known}"))

    def _pixels(self, seen: Callable[[bytes], bytes], request: Request, reply: Reply) -> None:
        """The pixels of a picture as the model sees them, for the page."""
        if (
            request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            not in self.kind.media
        ):
            known = b", ".join(sorted(self.kind.media)).decode()
            reply(failure(415, f"this Content-Type is not read; send one of {known}"))
            return
        try:
            reply(Response(200, seen(request.body)))
        except InputError as error:
            raise InputError(f"the body: {error}") from None

    def _invocations(self, request: Request, reply: Reply) -> None:
        wish = self.task.wish(request.query)
        media = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media == JSON:
            self._submit(request, self.kind.invoked(request.body), wish, reply)
        elif media == CSV and CSV in self.kind.media:
            self._submit(request, Asked(self.kind.body(request.body, media), {}), wish, reply)
        else:
            reply(failure(415, "this Content-Type is not read; send application/json"))

    def _submit(self, request: Request, asked: Asked, wish: Wish, reply: Reply) -> None:
        """Lets the model answer; what the body wishes for comes before what the address does."""
        request.examples = len(asked.inputs)
        wish = self.task.wished(asked.values, wish)
        self.batcher.submit(asked.inputs, partial(self._answer, reply, wish))

    def _answer(self, reply: Reply, wish: Wish, outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            reply(_failed(outcome))
            return
        reply(Response(200, b'{"predictions": [%b]}' % self.task.json(outcome, wish)))

    def _infer(self, request: Request, reply: Reply) -> None:
        question, inputs = openinference.read(
            request.body,
            request.headers.get(b"inference-header-content-length"),
            self.kind,
            self.task,
        )
        wish = self.task.wished(question.parameters, self.task.wish(request.query))
        request.examples = len(inputs)
        self.batcher.submit(inputs, partial(self._inferred, reply, question, wish))

    def _inferred(
        self, reply: Reply, question: openinference.Question, wish: Wish, outcome: Outcome
    ) -> None:
        if isinstance(outcome, Exception):
            reply(_failed(outcome))
            return
        found = [self.task.tensor(name, outcome, wish) for name, *_ in question.outputs]
        body, length = openinference.answer(self.name, self.version, question, found)
        if length is None:
            reply(Response(200, body))
        else:
            reply(
                Response(
                    200,
                    body,
                    b"application/octet-stream",
                    b"inference-header-content-length: %d\r\n" % length,
                )
            )


def _overloaded(error: Overloaded) -> Response:
    seconds = max(1, math.ceil(error.seconds))
    return failure(
        503,
        f"the model has more to do than it can; try again in {seconds} second{'s' * (seconds > 1)}",
        RETRY % seconds,
    )


def _failed(error: Exception) -> Response:
    if isinstance(error, Overloaded):
        return _overloaded(error)
    if isinstance(error, ReleaseError):
        return failure(500, str(error))
    traceback.print_exception(error)
    return failure(500, "this is a fault of the server; its own output says which")


def serve(
    predictor: Predictor,
    vouched: str,
    settings: Settings,
    worker: Worker,
    memories: metrics.Memories,
) -> None:
    """Serves as `worker` until SIGTERM or SIGINT, then finishes open requests.

    `vouched` says what is known of the release's signature.
    """
    try:
        import uvloop

        runner: Any = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:  # there is none for Windows; asyncio's own is slower
        runner = asyncio.Runner()

    async def run() -> None:
        from .protocol import Service

        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        log = AccessLog() if settings.access_log else None
        application = Application(predictor, vouched, log, memories)

        def end() -> None:
            application.ready = False
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        if worker.lifeline is not None:
            loop.add_reader(worker.lifeline, end)
        hosts = Hosts(settings.allow_host)
        service = Service(
            application.handle,
            application.finished,
            settings.max_body,
            hosts,
            settings.max_connections,
        )
        application.connections = lambda: len(service.connections)
        await service.run([worker.listening], stop, worker.started)
        application.stop()

    with runner:
        runner.run(run())
