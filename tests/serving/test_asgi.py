"""The ASGI entry answers as the built-in server does, under servers that people use."""

import asyncio
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from duli.serving import asgi
from duli.serving.asgi import Entry
from duli.serving.predictor import Predictor
from tests.packaging import tiny
from tests.serving.served import Served, serving

IMAGES = tiny.images(4)
SCRIPTS = Path(sys.executable).parent
COMMANDS = {
    "uvicorn": ("bright_row.asgi:app", "--workers", "2", "--no-access-log"),
    "granian": ("--interface", "asgi", "--workers", "2", "bright_row.asgi:app"),
}
MAX_BODY = 2**16  # as the built-in server beside them
INFER = "/v2/models/bright-row/infer"


def binary() -> tuple[bytes, dict[str, str]]:
    tensor = {"name": "images", "shape": [4, 1, 3, 4], "datatype": "UINT8"}
    tensor["parameters"] = {"binary_data_size": 48}
    asked = {"id": "a", "inputs": [tensor], "parameters": {"binary_data_output": True}}
    part = json.dumps(asked).encode()
    headers = {"content-type": "application/octet-stream"}
    return part + IMAGES.tobytes(), {**headers, "inference-header-content-length": str(len(part))}


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(IMAGES[2, 0]).save(buffer, "PNG")
    return buffer.getvalue()


JSON = {"content-type": "application/json"}
LISTS = json.dumps({"images": IMAGES.tolist()}).encode()
REQUESTS: dict[str, tuple[str, str, bytes | None, dict[str, str]]] = {
    "lists": ("POST", "/predict", LISTS, JSON),
    "query": ("POST", "/predict?abstain=true", LISTS, JSON),
    "wrong query": ("POST", "/predict?abstain=perhaps", LISTS, JSON),
    "binary": ("POST", INFER, *binary()),
    "png": ("POST", "/predict", png(), {"content-type": "image/png"}),
    "mlflow": ("POST", "/invocations", json.dumps({"inputs": IMAGES.tolist()}).encode(), JSON),
    "no JSON": ("POST", "/predict", b"{", JSON),
    "no body": ("POST", "/predict", b"", JSON),
    "wrong pixels": ("POST", "/predict", b'{"image": [[1]]}', JSON),
    "media": ("POST", "/predict", b"x", {"content-type": "text/plain"}),
    "too long": ("POST", "/predict", bytes(MAX_BODY + 1), JSON),
    "compressed": ("POST", "/predict", LISTS, {**JSON, "content-encoding": "gzip"}),
    "nothing there": ("GET", "/nothing%20there", None, {}),
    "encoded": ("GET", "/%63ard", None, {}),
    "method": ("POST", "/metrics", b"{}", {}),
    "deleted": ("DELETE", "/predict", None, {}),
    "foreign host": ("GET", "/card", None, {"host": "evil.example"}),
    "own host": ("GET", "/card", None, {"host": "localhost:1"}),
    "head": ("HEAD", "/card", None, {}),
    "page": ("GET", "/", None, {}),
    "probe of a pod": ("GET", "/v2/health/ready", None, {"host": "10.1.2.3:80"}),
    "health": ("GET", "/health", None, {}),
    "live": ("GET", "/v2/health/live", None, {}),
    "openapi": ("GET", "/openapi.json", None, {}),
}
COMPARED = (
    "allow",
    "content-length",
    "content-security-policy",
    "content-type",
    "x-content-type-options",
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.package(tmp_path_factory.mktemp("installed") / "bright_row")


@pytest.fixture(scope="module")
def built_in(package: Path) -> Iterator[Served]:
    with serving(package=package, max_body=MAX_BODY) as one:
        yield one


def environment(package: Path, **variables: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(package.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }


@contextmanager
def kept(
    name: str, package: Path, log: Path, **variables: str
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The server `name` as a process that answers, and its port; `log` gets what it prints."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(SCRIPTS / name), *COMMANDS[name], "--port", str(port)]
    with log.open("wb") as file:
        started = subprocess.Popen(
            command, env=environment(package, **variables), stdout=file, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + 60
        while not answers(port):
            assert started.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield started, port
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            raise


def answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/ping", None, {})[0] == 200
    except OSError:
        return False


def ask(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        return (
            response.status,
            content,
            {name.lower(): value for name, value in response.getheaders()},
        )
    finally:
        connection.close()


class Running:
    def __init__(self, name: str, package: Path, folder: Path, port: int) -> None:
        self.name, self.package, self.folder, self.port = name, package, folder, port

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(scope="module", params=list(COMMANDS))
def server(
    request: pytest.FixtureRequest, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp(request.param)
    variables = {
        "DULI_MAX_BODY": str(MAX_BODY),
        "DULI_ACCESS_LOG": "true",
        "DULI_METRICS_DIR": str(folder),
    }
    with kept(request.param, package, folder / "log", **variables) as (_, port):
        yield Running(request.param, package, folder, port)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(REQUESTS))
def test_it_answers_as_the_built_in_server_does(
    server: Running, built_in: Served, name: str
) -> None:
    expected, found = ask(built_in.port, *REQUESTS[name]), ask(server.port, *REQUESTS[name])
    assert found[:2] == expected[:2]
    facts = [
        {key: value for key, value in one[2].items() if key in COMPARED}
        for one in (expected, found)
    ]
    assert facts[0] == facts[1]
    assert found[2].get("inference-header-content-length") == expected[2].get(
        "inference-header-content-length"
    )


@pytest.mark.slow
def test_a_body_without_a_length_is_bounded_too(server: Running) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 1024 + 2):
            yield bytes(1024)

    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        with suppress(ConnectionError):  # it need not read on
            connection.request("POST", "/predict", pieces(), JSON, encode_chunked=True)
        with closing(connection.getresponse()) as response:
            assert response.status == 413


@pytest.mark.slow
def test_a_client_that_goes_costs_nobody_an_answer(server: Running) -> None:
    for end in (b"", b"{"):
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            one.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n" + end
            )
    assert ask(server.port, *REQUESTS["lists"])[0] == 200
    assert "Traceback" not in server.log


@pytest.mark.slow
def test_metrics_are_of_all_processes(server: Running) -> None:
    """Whichever of the two is asked knows what both have done."""

    def answered() -> float:
        from prometheus_client.parser import text_string_to_metric_families as families

        text = ask(server.port, "GET", "/metrics", None, {})[1].decode()
        samples = [sample for family in families(text) for sample in family.samples]
        return sum(
            one.value
            for one in samples
            if one.name == "http_requests_total"
            and one.labels["route"] == "/v2"
            and one.labels["status"] == "200"
        )

    before = answered()
    for _ in range(40):
        assert ask(server.port, "GET", "/v2", None, {})[0] == 200
    assert [answered() for _ in range(10)] == [before + 40] * 10
    assert len(list(server.folder.glob("bright-row-1.2.0rc1-*.counts"))) == 2


@pytest.mark.slow
def test_the_log_has_a_line_a_request(server: Running) -> None:
    names = {"x-request-id": f"{server.name}.4/2"}
    assert (
        ask(server.port, "POST", "/predict", LISTS, {**JSON, **names})[2]["x-request-id"]
        == names["x-request-id"]
    )
    insane = {"x-request-id": "x" * 129}
    made = ask(server.port, "GET", "/ping", None, insane)[2]["x-request-id"]
    assert len(made) == 32
    logged = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    (one,) = [line for line in logged if line["id"] == names["x-request-id"]]
    facts = {key: one[key] for key in ("method", "route", "status", "examples")}
    assert facts == {"method": "POST", "route": "/predict", "status": 200, "examples": 4}
    assert one["seconds"] > 0
    assert one["bytes"] > 400
    assert made in {line["id"] for line in logged}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_request_that_has_begun_is_answered_after_sigterm(
    name: str, package: Path, tmp_path: Path
) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(LISTS)
    with kept(name, package, tmp_path / "log") as (started, port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
            one.sendall(head)
            assert b" 100 " in one.recv(999)  # the application waits for the body
            started.send_signal(signal.SIGTERM)
            while "hut" not in (tmp_path / "log").read_text():  # it says that it shuts down
                time.sleep(0.02)
            one.sendall(LISTS)
            answer = b""
            while b"predictions" not in answer:
                piece = one.recv(65536)
                assert piece, (answer, (tmp_path / "log").read_text())
                answer += piece
        assert b" 200 " in answer
        assert started.wait(20) in (0, -signal.SIGTERM)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_damaged_package_is_not_served(name: str, tmp_path: Path) -> None:
    package = tiny.package(tmp_path / "bright_row")
    (package / "page.js").write_bytes((package / "page.js").read_bytes() + b"\n")
    with (
        pytest.raises(AssertionError, match=r"page\.js is changed"),
        kept(name, package, tmp_path / "log"),
    ):
        pass


# The protocol itself, without a server.


def scope(method: str = "POST", path: str = "/predict", **changes: Any) -> dict[str, Any]:
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        **changes,
    }


class Client:
    """What a server hands to an application, and what it gets."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in messages:
            self.messages.put_nowait(message)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return await self.messages.get()

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def ask(self, entry: Entry, asked: dict[str, Any]) -> tuple[int, bytes]:
        await entry(asked, self.receive, self.send)
        return self.sent[0]["status"], self.sent[1]["body"]


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


@contextmanager
def quiet(entry: Entry) -> Iterator[None]:
    """Ends the threads that answering without a lifespan has started."""
    yield
    for served in entry._served.values():
        served.application.stop()


def played(play: Callable[[Entry], Awaitable[None]], package: Path) -> None:
    async def run() -> None:
        entry = Entry(package)
        with quiet(entry):
            await play(entry)

    asyncio.run(run())


def test_a_server_that_announces_nothing_is_answered_too(package: Path) -> None:
    async def play(entry: Entry) -> None:
        assert (await Client(body(LISTS)).ask(entry, scope()))[0] == 200
        halves = Client(body(LISTS[:9], more=True), body(LISTS[9:]))
        assert (await halves.ask(entry, scope()))[0] == 200
        mounted = scope("GET", "/models/card", root_path="/models")
        assert await Client(body(b"")).ask(entry, mounted) == (200, b"# A card\n")

    played(play, package)


def test_blanks_behind_a_length_say_nothing(package: Path) -> None:
    """They are no part of a header's value, but uvicorn hands them on."""

    async def play(entry: Entry) -> None:
        headers = [*scope()["headers"], (b"content-length", b"%d \t" % len(LISTS))]
        assert (await Client(body(LISTS)).ask(entry, scope(headers=headers)))[0] == 200

    played(play, package)


def test_each_event_loop_has_its_own(package: Path) -> None:
    entry = Entry(package)

    async def once() -> int:
        with quiet(entry):
            return (await Client(body(LISTS)).ask(entry, scope()))[0]

    assert [asyncio.run(once()) for _ in range(2)] == [200, 200]


def test_a_client_that_sends_no_body_is_not_waited_for(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.05)

    async def play(entry: Entry) -> None:
        assert (await Client(body(b"{", more=True)).ask(entry, scope()))[0] == 408
        gone = Client(body(b"{", more=True), {"type": "http.disconnect"})
        await entry(scope(), gone.receive, gone.send)
        assert gone.sent == []

    played(play, package)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"headers": [(b"host", b"localhost"), (b"host", b"localhost")]}, 400),
        ({"headers": []}, 400),
        ({"headers": [(b"host", b"evil.example")]}, 421),
        ({"headers": [(b"host", b"localhost"), (b"content-length", b"9" * 40)]}, 413),
        ({"headers": [(b"host", b"localhost"), (b"content-length", b"-1")]}, 413),
    ],
)
def test_heads_that_are_refused_before_the_body_is_read(
    package: Path, changes: dict[str, Any], status: int
) -> None:
    async def play(entry: Entry) -> None:
        assert (await Client().ask(entry, scope(**changes)))[0] == status

    played(play, package)


def test_a_websocket_is_closed(package: Path) -> None:
    async def play(entry: Entry) -> None:
        client = Client({"type": "websocket.connect"})
        await entry({"type": "websocket"}, client.receive, client.send)
        assert [one["type"] for one in client.sent] == ["websocket.close"]

    played(play, package)


def test_nothing_is_loaded_or_answered_unless_all_is_as_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tiny.package(tmp_path / "bright_row")
    (package / "page.js").write_bytes(b"")
    monkeypatch.setattr(Predictor, "__init__", lambda *_: pytest.fail("it was loaded"))

    async def play(entry: Entry) -> None:
        client = Client({"type": "lifespan.startup"})
        await entry({"type": "lifespan"}, client.receive, client.send)
        (told,) = client.sent
        assert told["type"] == "lifespan.startup.failed"
        assert "page.js is changed" in told["message"]
        for _ in range(2):
            assert (await Client(body(LISTS)).ask(entry, scope()))[0] == 503
        assert "page.js is changed" in capsys.readouterr().err

    played(play, package)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DULI_MAX_BODY", "many"),
        ("DULI_ACCESS_LOG", "perhaps"),
        ("DULI_KEY", "x.pub"),
        ("DULI_METRICS_DIR", "/no/such"),
    ],
)
def test_a_wrong_environment_is_said_at_the_start(
    package: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    async def play(entry: Entry) -> None:
        client = Client({"type": "lifespan.startup"})
        await entry({"type": "lifespan"}, client.receive, client.send)
        assert client.sent[0]["type"] == "lifespan.startup.failed"
        assert (variable if variable != "DULI_KEY" else "--key") in client.sent[0]["message"]

    played(play, package)


def test_it_stops_after_what_has_begun(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    original = Predictor.answers

    def slow(self: Predictor, images: Any) -> Any:
        assert release.wait(10)
        return original(self, images)

    monkeypatch.setattr(Predictor, "answers", slow)
    monkeypatch.setattr("duli.serving.batching.INLINE_SECONDS", 0)

    async def run() -> None:
        entry = Entry(package)
        life = Client({"type": "lifespan.startup"})
        living = asyncio.ensure_future(entry({"type": "lifespan"}, life.receive, life.send))
        asking = asyncio.ensure_future(Client(body(LISTS)).ask(entry, scope()))
        while not any(served.application.batcher.running for served in entry._served.values()):
            await asyncio.sleep(0.001)
        life.messages.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.sleep(0.05)
        assert [one["type"] for one in life.sent] == ["lifespan.startup.complete"]
        assert (await Client(body(b"")).ask(entry, scope("GET", "/health")))[0] == 503
        release.set()
        assert (await asking)[0] == 200
        await living
        assert [one["type"] for one in life.sent][1:] == ["lifespan.shutdown.complete"]
        assert entry._served == {}

    asyncio.run(run())


@pytest.mark.slow
def test_it_is_cheap_to_import_and_needs_no_parser_of_http(package: Path) -> None:
    code = f"""
import asyncio, sys
sys.modules["httptools"] = sys.modules["uvloop"] = None
from bright_row.asgi import app
assert not {{"numpy", "onnxruntime"}} & set(sys.modules)
async def run():
    sent = []
    async def receive(): return {{"type": "http.request", "body": {LISTS!r}}}
    async def send(message): sent.append(message)
    await app({scope()!r}, receive, send)
    print(sent[0]["status"])
asyncio.run(run())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(package),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "200\n"), ended.stderr


def test_labels_are_the_predictors(package: Path) -> None:
    async def play(entry: Entry) -> None:
        _, content = await Client(body(LISTS)).ask(entry, scope())
        found = [one["label"] for one in json.loads(content)["predictions"]]
        assert found == Predictor(package).predict(np.asarray(IMAGES)).labels

    played(play, package)
