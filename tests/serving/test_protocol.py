"""Bytes, time and connections are bounded before anything is parsed, and what was taken in is answered."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from duli.serving import protocol
from duli.serving.messages import Reply, Request, Response
from tests.serving.served import serving

GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"


def echo(request: Request, reply: Reply) -> None:
    reply(Response(200, request.method + b" " + request.path + b" " + request.body, b"text/plain"))


@contextmanager
def client(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        yield one


def everything(one: socket.socket) -> bytes:
    """What comes until the server closes."""
    content = b""
    while piece := one.recv(65536):
        content += piece
    return content


def told(port: int, sent: bytes) -> bytes:
    with client(port) as one:
        one.sendall(sent)
        one.shutdown(socket.SHUT_WR)
        return everything(one)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(echo, max_body=1000) as one:
        yield one.port


def test_requests_sent_at_once_are_answered_in_order(port: int) -> None:
    sent = b"".join(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number for number in range(200))
    answers = told(port, sent)
    positions = [answers.index(b"GET /%d " % number) for number in range(200)]
    assert positions == sorted(positions)
    assert answers.count(b"HTTP/1.1 200 OK") == 200


def test_bodies_in_pieces_and_in_chunks(port: int) -> None:
    with client(port) as one:
        for piece in (b"POST /x HTTP/1.1\r\nHo", b"st: localhost\r\nContent-Length: 6\r", b"\n\r\nabc", b"def"):
            one.sendall(piece)
        assert one.recv(999).endswith(b"POST /x abcdef")
        one.sendall(b"POST /y HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert one.recv(999).endswith(b"POST /y abcde")


def test_a_head_request_gets_no_body(port: int) -> None:
    answer = told(port, b"HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"content-length: 8\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_client_that_waits_for_100_gets_it(port: int) -> None:
    with client(port) as one:
        one.sendall(b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert one.recv(99) == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.sendall(b"ok")
        assert one.recv(999).endswith(b"POST /x ok")


def test_an_offer_to_upgrade_is_ignored(port: int) -> None:
    upgrade = b"GET /first HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answers = told(port, upgrade + GET)
    assert answers.count(b"HTTP/1.1 200 OK") == 2


def test_a_thousand_offers_at_once_are_ignored_too(port: int) -> None:
    offer = b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert told(port, offer * 1500).count(b"HTTP/1.1 200 OK") == 1500


@pytest.mark.parametrize(
    ("length", "body"),
    [(b"Content-Length: 5", b"a\r\nbc"), (b"Transfer-Encoding: chunked", b"5\r\na\r\nbc\r\n0\r\n\r\n")],
)
@pytest.mark.parametrize("pieces", [False, True])
def test_a_body_that_comes_with_an_offer_to_upgrade_is_read(port: int, length: bytes, body: bytes, pieces: bool) -> None:
    """So does Java's client send every first request of a connection."""
    head = b"POST /first?x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + length + b"\r\n\r\n"
    with client(port) as one:
        for piece in (head[:-1], head[-1:], body[:3], body[3:]) if pieces else (head + body,):
            one.sendall(piece)
        assert one.recv(999).endswith(b"POST /first a\r\nbc")
        one.sendall(GET)
        assert one.recv(999).endswith(b"GET /x ")
    answer = told(port, head.replace(b"Upgrade, HTTP2-Settings", b"Upgrade, close") + body + GET)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
        (b"GET /x HTTP/1.1\r\n\r\n", b"421"),
        (b"GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", b"421"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", b"4"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3ea\r\n" + b"a" * 1002 + b"\r\n", b"413"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na", b"415"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 300_000, b"431"),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 30_000 + b"\r\n\r\n", b"431"),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 5_000 + b"\r\n", b"431"),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000, b"431"),
    ],
)
def test_what_is_refused_before_it_is_read(port: int, sent: bytes, status: bytes) -> None:
    with client(port) as one:
        one.sendall(sent)
        answer = everything(one)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answer
    assert b'{"error": "' in answer


@pytest.mark.parametrize("host", [b"localhost:8080", b"127.0.0.1", b"[::1]:1", b"LOCALHOST"])
def test_this_machine_is_allowed(port: int, host: bytes) -> None:
    assert told(port, b"GET /x HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_refused_request_does_not_cost_the_ones_before_it() -> None:
    held: list[Reply] = []
    with serving(lambda _, reply: held.append(reply)) as one, client(one.port) as two:
        two.sendall(GET + GET + b"nonsense\r\n\r\n")
        for _ in range(2):
            wait(lambda: bool(held))
            one.service.loop.call_soon_threadsafe(held.pop(), Response(200, b"fine"))
        answers = everything(two)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.index(b"HTTP/1.1 400") > answers.rindex(b"fine")


def test_a_client_that_sends_no_more_is_answered_and_then_closed() -> None:
    held: list[Reply] = []
    with serving(lambda _, reply: held.append(reply)) as one, client(one.port) as two:
        two.sendall(GET)
        two.shutdown(socket.SHUT_WR)
        wait(lambda: bool(held) and any(connection.ended for connection in one.service.connections))
        one.service.loop.call_soon_threadsafe(held.pop(), Response(200, b"fine"))
        assert everything(two).endswith(b"fine")


def wait(condition: object, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /x HT", b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc", GET],
    ids=["silent", "half a head", "half a body", "idle"],
)
def test_slow_clients_are_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "IDLE_SECONDS", "SWEEP_SECONDS"):
        monkeypatch.setattr(protocol, name, 0.1)
    with serving(echo) as one, client(one.port) as two:
        began = time.monotonic()
        two.sendall(sent)
        answer = everything(two)
        assert time.monotonic() - began < 5
        assert answer[9:12] == {b"": b"", GET: b"200"}.get(sent, b"408")
        wait(lambda: not one.service.connections)


def test_a_client_that_drips_gets_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "SWEEP_SECONDS", 0.05)
    with serving(echo) as one, client(one.port) as two:
        two.settimeout(0.02)
        began, answer = time.monotonic(), b""
        while not answer and time.monotonic() - began < 10:
            try:
                two.sendall(b"G" if time.monotonic() - began < 0.02 else b"E")
                answer = two.recv(999)
            except TimeoutError:
                continue
        assert answer[:12] in (b"HTTP/1.1 408", b"HTTP/1.1 400")
        assert time.monotonic() - began < 5


def test_a_client_that_does_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "WRITE_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "SWEEP_SECONDS", 0.05)
    large = Response(200, bytes(20_000_000), b"application/octet-stream")
    with serving(lambda _, reply: reply(large)) as one, client(one.port) as two:
        two.sendall(GET * 3)
        wait(lambda: bool(one.service.connections))
        wait(lambda: not one.service.connections)


def test_more_connections_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)
    with serving(echo) as one, client(one.port) as first, client(one.port) as second:
        for two in (first, second):
            two.sendall(GET)
            assert two.recv(999).startswith(b"HTTP/1.1 200")
        with client(one.port) as third:
            answer = everything(third)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer


def test_a_fault_of_ours_costs_one_answer(capfd: pytest.CaptureFixture[str]) -> None:
    def handle(request: Request, reply: Reply) -> None:
        if request.path == b"/bad":
            raise RuntimeError("a bug")
        echo(request, reply)

    with serving(handle) as one:
        answers = told(one.port, GET.replace(b"/x", b"/bad") + GET)
    assert answers.startswith(b"HTTP/1.1 500")
    assert b"a bug" not in answers
    assert b"HTTP/1.1 200 OK" in answers
    assert "RuntimeError: a bug" in capfd.readouterr().err


def test_stopping_answers_what_was_begun() -> None:
    """A request at work, one that is half sent, and an idle connection, when the server is told to stop."""
    held: list[Reply] = []
    idle = b"GET /idle HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def handle(request: Request, reply: Reply) -> None:
        if request.path == b"/idle":
            reply(Response(200, b"idle"))
        else:
            held.append(reply)

    def free() -> None:
        wait(lambda: one.service.draining)
        half.sendall(b"\r\n")
        wait(lambda: len(held) == 2)
        for reply in held:
            one.service.loop.call_soon_threadsafe(reply, Response(200, b"fine"))

    with serving(handle) as one:
        working, half, resting = (socket.create_connection(("127.0.0.1", one.port), timeout=10) for _ in range(3))
        resting.sendall(idle)
        assert resting.recv(999).endswith(b"idle")
        working.sendall(GET)
        half.sendall(GET[:-2])
        wait(lambda: len(held) == 1 and any(connection.state == "head" for connection in one.service.connections))
        freeing = threading.Thread(target=free)
        freeing.start()
    freeing.join(10)
    for two in (working, half):
        answer = everything(two)
        assert answer.endswith(b"fine")
        assert b"connection: close" in answer
    assert everything(resting) == b""
    for two in (working, half, resting):
        two.close()
