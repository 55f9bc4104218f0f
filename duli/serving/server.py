"""The server of a release: which address answers what, and how it starts and stops."""

import asyncio
import json
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from . import openinference
from .batching import Batcher, Outcome, Overloaded
from .bodies import Asked
from .errors import InputError, ReleaseError
from .integrity import CARD
from .metrics import KIND, Metrics
from .openapi import describe
from .predictor import Predictor
from .protocol import Reply, Request, Response, Service, failure

JSON = b"application/json"
CSV = b"text/csv"
PAGE = {
    b"/page.css": ("page.css", b"text/css; charset=utf-8"),
    b"/page.js": ("page.js", b"text/javascript; charset=utf-8"),
}
HTML, ASKS = "page.html", b"<!-- what asks: the part of this kind of data -->"
# Nothing from elsewhere, nothing inline, in nobody's frame; pictures that are dropped are data of the page itself.
POLICY = (
    b"content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\nreferrer-policy: no-referrer\r\n"
    b"cross-origin-opener-policy: same-origin\r\ncross-origin-resource-policy: same-origin\r\ncache-control: no-cache\r\n"
)
RETRY = b"retry-after: 1\r\n"
TRUTH = {b"": False, b"abstain=true": True, b"abstain=1": True, b"abstain=false": False, b"abstain=0": False}

Handler = Callable[[Request, Reply], None]


class Options(NamedTuple):
    """How a server is started."""

    host: str = "127.0.0.1"
    port: int = 8080
    hosts: tuple[str, ...] = ()  # names it answers to besides those of this machine
    workers: int = 1  # calls of the model at once
    max_body: int = 2 * 2**20  # bytes


class Application:
    """What each address answers."""

    def __init__(self, predictor: Predictor, vouched: str, workers: int = 1) -> None:
        self.predictor = predictor
        release = predictor.release
        self.name, self.version = release["name"], release["version"]
        self.kind = predictor.kind
        self.metrics = Metrics(self.name, self.version, self.kind.words.things)
        self.batcher = Batcher(predictor.probabilities, self.metrics.batches.observe, workers, self.kind.joined)
        self.ready = True
        self._line = self._template(predictor.classes)
        self.connections: Callable[[], int] = lambda: 0
        self._routes = self._made(vouched)

    def handle(self, request: Request, reply: Reply) -> None:
        """Answers `request` at once or when the model has answered."""
        methods = self._routes.get(request.path)
        if methods is None:
            reply(failure(404, f"there is nothing at this address; /openapi.json lists what there is (the model is {self.name})"))
            return
        request.route = request.path.decode()
        handler = methods.get(b"GET" if request.method == b"HEAD" else request.method)
        if handler is None:
            allowed = b", ".join(methods)
            reply(failure(405, f"this address takes {allowed.decode()} alone", b"allow: " + allowed + b"\r\n"))
            return
        try:
            handler(request, reply)
        except InputError as error:
            reply(failure(400, str(error)))
        except Overloaded:
            reply(_overloaded())

    def finished(self, request: Request | None, status: int, seconds: float) -> None:
        self.metrics.finished(request.route if request else "other", status, seconds)

    def _made(self, vouched: str) -> dict[bytes, dict[bytes, Handler]]:
        """The handlers by address and method."""
        predictor, contents = self.predictor, self.predictor.contents
        release, version, kind = predictor.release, self.version, self.kind

        def fixed(body: bytes, kind: bytes = JSON, head: bytes = b"") -> dict[bytes, Handler]:
            response = Response(200, body, kind, head)
            return {b"GET": lambda _, reply: reply(response)}

        def said(facts: Any) -> dict[bytes, Handler]:
            return fixed(json.dumps(facts, ensure_ascii=False).encode())

        model = f"/v2/models/{self.name}".encode()
        told = ("name", "version", "title", "publisher", "licence", "classes", "kind", "input", "threshold", "features", "example")
        about = {
            **{key: release.get(key) for key in told},
            "things": kind.words.things,
            "pictures": release.get("pictures", {}),  # what the page makes of a drawing or a picture, so that it is like the data set's
            "accuracy": release["numbers"]["evaluation"]["accuracy"],
            "integrity": f"all {len(contents)} files are as released; {vouched}",
        }
        page = contents[HTML].replace(ASKS, contents[kind.page[0]])
        routes: dict[bytes, dict[bytes, Handler]] = {
            **{path: fixed(contents[name], media, POLICY) for path, (name, media) in PAGE.items()},
            b"/": fixed(page, b"text/html; charset=utf-8", POLICY),
            b"/ask.js": fixed(contents[kind.page[1]], b"text/javascript; charset=utf-8", POLICY),
            b"/about": said(about),
            b"/card": fixed(contents[CARD], b"text/plain; charset=utf-8", POLICY),
            b"/openapi.json": said(describe(release, kind)),
            b"/metrics": {b"GET": self._metrics},
            b"/ping": {b"GET": self._ready},
            b"/health": {b"GET": self._ready},
            b"/predict": {b"POST": self._predict},
            b"/invocations": {b"POST": self._invocations},
            b"/v2": said(openinference.server(self.name, version)),
            b"/v2/health/live": fixed(b"{}"),
            b"/v2/health/ready": {b"GET": self._ready},
        }
        for address in (model, model + f"/versions/{version}".encode()):
            routes |= {
                address: said(openinference.model(self.name, version, kind, len(predictor.classes))),
                address + b"/ready": {b"GET": self._ready},
                address + b"/infer": {b"POST": self._infer},
            }
        return routes

    def _ready(self, _: Request, reply: Reply) -> None:
        reply(Response(200, b"{}") if self.ready else failure(503, "the server is stopping", RETRY))

    def _metrics(self, _: Request, reply: Reply) -> None:
        things = self.kind.words.things
        gauges = {
            f"model_queued_{things}": (f"{things.capitalize()} that wait for the model.", float(self.batcher.queued)),
            "http_connections": ("Open connections.", float(self.connections())),
        }
        reply(Response(200, self.metrics.text(gauges), KIND))

    def _predict(self, request: Request, reply: Reply) -> None:
        abstain = _abstain(request)
        media = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media == JSON:
            self._submit(self.kind.asked(request.body), abstain, reply)
        elif media in self.kind.media:
            try:
                inputs = self.kind.body(request.body, media)
            except InputError as error:
                raise InputError(f"the body: {error}") from None
            self._submit(Asked(inputs, None), abstain, reply)
        else:
            known = b", ".join(sorted({JSON, *self.kind.media})).decode()
            reply(failure(415, f"this Content-Type is not read; send one of {known}"))

    def _invocations(self, request: Request, reply: Reply) -> None:
        abstain = _abstain(request)
        media = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media == JSON:
            self._submit(self.kind.invoked(request.body), abstain, reply)
        elif media == CSV and CSV in self.kind.media:
            self._submit(Asked(self.kind.body(request.body, media), None), abstain, reply)
        else:
            reply(failure(415, "this Content-Type is not read; send application/json"))

    def _submit(self, asked: Asked, abstain: bool, reply: Reply) -> None:
        """Lets the model answer; what the body says of abstaining comes before what the address says."""
        wish = abstain if asked.abstain is None else asked.abstain
        self.batcher.submit(asked.inputs, partial(self._answer, reply, wish))

    def _answer(self, reply: Reply, abstain: bool, outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            reply(_failed(outcome))
            return
        best = outcome.argmax(axis=1).tolist()
        names, threshold, line = self._names, self.predictor.threshold, self._line
        lines = []
        for index, row in zip(best, outcome.tolist(), strict=True):
            top = row[index]
            unsure = not top >= threshold
            lines.append(line % ("null" if unsure and abstain else names[index], top, "true" if unsure else "false", *row))
        reply(Response(200, f'{{"predictions": [{", ".join(lines)}]}}'.encode()))

    def _template(self, classes: list[str]) -> str:
        """One answer in JSON, to be filled with label, probability, doubt, and the probabilities of the classes."""
        self._names = [json.dumps(name) for name in classes]
        by_class = ", ".join(f"{name.replace('%', '%%')}: %.6f" for name in self._names)
        return '{"label": %s, "probability": %.6f, "abstains": %s, "probabilities": {' + by_class + "}}"

    def _infer(self, request: Request, reply: Reply) -> None:
        question, inputs = openinference.read(request.body, request.headers.get(b"inference-header-content-length"), self.kind)
        abstain = question.abstain or _abstain(request)
        self.batcher.submit(inputs, partial(self._inferred, reply, question, abstain))

    def _inferred(self, reply: Reply, question: openinference.Question, abstain: bool, outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            reply(_failed(outcome))
            return
        classes, threshold = self.predictor.classes, self.predictor.threshold
        labels: list[str | None] = [classes[index] for index in outcome.argmax(axis=1).tolist()]
        if abstain:
            labels = [label if top >= threshold else None for label, top in zip(labels, outcome.max(axis=1).tolist(), strict=True)]
        body, length = openinference.answer(self.name, self.version, question, outcome, labels)
        if length is None:
            reply(Response(200, body))
        else:
            reply(Response(200, body, b"application/octet-stream", b"inference-header-content-length: %d\r\n" % length))


def _abstain(request: Request) -> bool:
    try:
        return TRUTH[request.query]
    except KeyError:
        raise InputError("the only query this address knows is ?abstain=true (or false); correct it") from None


def _overloaded() -> Response:
    return failure(503, "the model has more to do than it can; try again in a second", RETRY)


def _failed(error: Exception) -> Response:
    if isinstance(error, Overloaded):
        return _overloaded()
    if isinstance(error, ReleaseError):
        return failure(500, str(error))
    traceback.print_exception(error)
    return failure(500, "this is a fault of the server; its own output says which")


def serve(predictor: Predictor, vouched: str, options: Options) -> None:
    """Answers until SIGTERM or SIGINT, then finishes what was begun; `vouched` says what is known of the release's signature.

    Raises `InputError` where the address cannot be had.
    """
    sockets = _listen(options.host, options.port)
    try:
        import uvloop

        runner: Any = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:  # there is none for Windows; asyncio's own is slower
        runner = asyncio.Runner()
    with runner:
        runner.run(_served(predictor, vouched, options, sockets))


async def _served(predictor: Predictor, vouched: str, options: Options, sockets: list[socket.socket]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    application = Application(predictor, vouched, options.workers)

    def end() -> None:
        application.ready = False
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    hosts = frozenset(name.lower().encode() for name in options.hosts)
    service = Service(application.handle, application.finished, options.max_body, hosts)
    application.connections = lambda: len(service.connections)
    await service.run(sockets, stop, lambda: _announce(application, sockets))
    application.batcher.stop()


def _announce(application: Application, sockets: list[socket.socket]) -> None:
    host, port = sockets[0].getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print(f"{application.name} {application.version} answers at {address} (a page to try it; /openapi.json lists the rest)", flush=True)


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        one = socket.socket(family, kind, protocol)
        if sys.platform != "win32":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(address)
        except OSError:
            one.close()
            raise
        one.setblocking(False)  # noqa: FBT003
    except OSError as error:
        raise InputError(f"cannot listen on {host}, port {port} ({error.strerror}); choose another with --host and --port") from None
    return [one]
