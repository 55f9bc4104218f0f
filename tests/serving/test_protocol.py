"""Bytes, time and connections are bounded before anything is parsed, and what was taken in is
answered.
"""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.utils import parsedate_to_datetime

import pytest

from duli.serving import protocol
from duli.serving.messages import Reply, Request, Response
from tests.serving.served import serving

GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


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
    sent = b"".join(
        b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number for number in range(200)
    )
    answers = told(port, sent)
    positions = [answers.index(b"GET /%d " % number) for number in range(200)]
    assert positions == sorted(positions)
    assert answers.count(b"HTTP/1.1 200 OK") == 200


def test_bodies_in_pieces_and_in_chunks(port: int) -> None:
    with client(port) as one:
        for piece in (
            b"POST /x HTTP/1.1\r\nHo",
            b"st: localhost\r\nContent-Length: 6\r",
            b"\n\r\nabc",
            b"def",
        ):
            one.sendall(piece)
        assert one.recv(999).endswith(b"POST /x abcdef")
        one.sendall(
            b"POST /y HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:"
            b" chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert one.recv(999).endswith(b"POST /y abcde")


def test_a_head_request_gets_no_body(port: int) -> None:
    answer = told(port, b"HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"content-length: 8\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_nor_does_one_that_is_refused(port: int) -> None:
    foreign = b"HEAD /x HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    answer = told(port, GET + foreign)
    assert b"HTTP/1.1 421" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert told(port, b"HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\nnonsense\r\n\r\n").endswith(b"}")


def test_a_client_that_waits_for_100_gets_it(port: int) -> None:
    with client(port) as one:
        one.sendall(
            b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect:"
            b" 100-continue\r\n\r\n"
        )
        assert one.recv(99) == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.sendall(b"ok")
        assert one.recv(999).endswith(b"POST /x ok")


def test_an_offer_to_upgrade_is_ignored(port: int) -> None:
    upgrade = (
        b"GET /first HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    )
    answers = told(port, upgrade + GET)
    assert answers.count(b"HTTP/1.1 200 OK") == 2


def test_a_thousand_offers_at_once_are_ignored_too(port: int) -> None:
    offer = b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert told(port, offer * 1500).count(b"HTTP/1.1 200 OK") == 1500


@pytest.mark.parametrize(
    ("length", "body"),
    [
        (b"Content-Length: 5", b"a\r\nbc"),
        (b"Transfer-Encoding: chunked", b"5\r\na\r\nbc\r\n0\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("pieces", [False, True])
def test_a_body_that_comes_with_an_offer_to_upgrade_is_read(
    port: int, length: bytes, body: bytes, pieces: bool
) -> None:
    """So does Java's client send every first request of a connection."""
    head = (
        b"POST /first?x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade,"
        b" HTTP2-Settings\r\nUpgrade: h2c\r\n" + length + b"\r\n\r\n"
    )
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
        (b"GET /x HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", b"421"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n", b"413"),
        (
            b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
            b"4",
        ),
        (
            b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3ea\r\n"
            + b"a" * 1002
            + b"\r\n",
            b"413",
        ),
        (
            (
                b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length:"
                b" 1\r\n\r\na"
            ),
            b"415",
        ),
        (
            (
                b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding:"
                b" chunked\r\n\r\n"
            ),
            b"400",
        ),
        (
            (
                b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:"
                b" chunked\r\nContent-Length: 1\r\n\r\n"
            ),
            b"400",
        ),
        (
            (
                b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length:"
                b" 1\r\n\r\na"
            ),
            b"400",
        ),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1, 1\r\n\r\na", b"400"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\na", b"400"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length : 1\r\n\r\na", b"400"),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n 1\r\n\r\na", b"400"),
        (
            CHUNKED.replace(b"chunked", b"chunked\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n",
            b"400",
        ),
        (CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n", b"501"),
        (CHUNKED.replace(b"chunked", b"chunked, identity") + b"0\r\n\r\n", b"400"),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", b"501"),
        (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", b"400"),
        (CHUNKED + b"1\na\n0\n\n", b"400"),
        (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", b"400"),
        (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", b"400"),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"405"),
        (
            (
                b"CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection:"
                b" Upgrade\r\nContent-Length: 9\r\n\r\nGET / HTT"
            ),
            b"405",
        ),
        (b"GET /x\r\n\r\n", b"400"),
        (b"GET /x HTTP/2.0\r\nHost: localhost\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"GET http://evil.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n", b"421"),
        (b"GET http://localhost@evil.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n", b"421"),
        (b"GET http://localhost/x HTTP/1.1\r\n\r\n", b"400"),
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
    [
        b"",
        b"GET /x HT",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
        GET,
    ],
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
    """Where all are at work, there is no room."""
    held: list[Reply] = []
    with (
        serving(lambda _, reply: held.append(reply), max_connections=2) as one,
        client(one.port) as first,
        client(one.port) as second,
    ):
        first.sendall(GET)
        second.sendall(GET)
        wait(lambda: len(held) == 2)
        with client(one.port) as third:
            answer = everything(third)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer
        for two, reply in zip((first, second), held, strict=True):
            one.service.loop.call_soon_threadsafe(reply, Response(200, b"fine"))
            assert two.recv(999).startswith(b"HTTP/1.1 200")


def test_idle_connections_make_room_the_oldest_first() -> None:
    with serving(echo, max_connections=3) as one, ExitStack() as stack:
        idle = [stack.enter_context(client(one.port)) for _ in range(3)]
        for number in (1, 0, 2, 1):  # the second has been used last
            idle[number].sendall(GET)
            assert idle[number].recv(999).startswith(b"HTTP/1.1 200")
            time.sleep(0.005)  # the loop's clock counts milliseconds
        for gone in (0, 2, 1):
            new = stack.enter_context(client(one.port))
            new.sendall(GET)
            assert new.recv(999).startswith(b"HTTP/1.1 200")
            time.sleep(0.005)
            assert idle[gone].recv(9) == b""
        assert len(one.service.connections) == 3


def test_clients_that_send_half_a_request_make_room_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "ARRIVAL_SECONDS", -1.0)  # a clock of whole milliseconds
    with (
        serving(echo, max_connections=2) as one,
        client(one.port) as first,
        client(one.port) as second,
    ):
        for two, sent in ((first, CHUNKED), (second, GET[:9])):
            two.sendall(sent)
            wait(lambda: any(connection.state != "idle" for connection in one.service.connections))
        wait(
            lambda: {connection.state for connection in one.service.connections} == {"head", "body"}
        )
        assert told(one.port, GET).startswith(b"HTTP/1.1 200")
        assert first.recv(9) == b""


def test_chunks_with_extensions_and_trailers_are_read_without_them(port: int) -> None:
    body = b'2;name="a;b"\r\nab\r\n1;x\r\nc\r\n0;last\r\nHost: evil.example\r\nX: y\r\n\r\n'
    with client(port) as one:
        for _ in range(2):
            one.sendall(CHUNKED + body)
            assert one.recv(999).endswith(b"POST /x abc")


def test_trailers_are_no_headers() -> None:
    seen: list[dict[bytes, bytes]] = []

    def handle(request: Request, reply: Reply) -> None:
        seen.append(request.headers)
        reply(Response(200, b""))

    trailers = (
        b"Content-Type: text/csv\r\nX-Request-Id: 1\r\nInference-Header-Content-Length: 1\r\nHost:"
        b" x\r\n\r\n"
    )
    with serving(handle) as one:
        told(one.port, CHUNKED + b"0\r\n" + trailers)
    assert seen == [{b"host": b"localhost", b"transfer-encoding": b"chunked"}]


@pytest.mark.parametrize(
    "around",
    [
        b"1;" + b"x" * 30_000 + b"\r\na\r\n",
        b"1;x=" + b"y" * 5000 + b"\r\na\r\n",
        b"1" + b";x" * 20 + b"\r\na\r\n",
        b"0" * 30_000 + b"1\r\na\r\n",
        b"0\r\n" + b"X: y\r\n" * 10_000,
        b"0\r\nX: " + b"y" * 30_000,
        b"0\r\n" + b"X" * 30_000,
        b"0;" + b"x" * 30_000,
    ],
    ids=[
        "extension",
        "extensions",
        "short extensions",
        "zeros",
        "trailers",
        "trailer",
        "name of a trailer",
        "last extension",
    ],
)
@pytest.mark.parametrize("pieces", [300_000, 1000])
def test_what_stands_around_chunks_is_bounded(around: bytes, pieces: int) -> None:
    """Sent until the server has enough, which is soon, and it does not read on for long."""
    sent = taken = 0
    with serving(echo, max_body=2**16) as one, client(one.port) as two:
        stream = CHUNKED + around * (1 + 2**25 // len(around))
        try:
            while sent < len(stream):
                sent += two.send(stream[sent : sent + pieces])
                taken = sent
        except ConnectionError:
            pass
        assert taken < 2**25
        with suppress(ConnectionError):
            assert everything(two).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("chunk", [1, 7, 300])
def test_small_chunks_are_no_reason_to_refuse(chunk: int) -> None:
    content = bytes(range(256)) * 200
    pieces = b"".join(
        b"%x\r\n%b\r\n" % (len(one), one)
        for one in (content[at : at + chunk] for at in range(0, len(content), chunk))
    )
    with serving(echo) as one:
        assert told(one.port, CHUNKED + pieces + b"0\r\n\r\n").endswith(b"POST /x " + content)


@pytest.mark.parametrize("host", [b"", b"Host: localhost\r\n"])
def test_http_1_0_closes_unless_it_is_asked_not_to(port: int, host: bytes) -> None:
    with client(port) as one:
        one.sendall(b"GET /x HTTP/1.0\r\n" + host + b"\r\n")
        answer = everything(one)
        assert answer.endswith(b"GET /x ")
        assert b"connection: close\r\n" in answer
    with client(port) as one:
        for number in range(3):
            one.sendall(b"GET /%d HTTP/1.0\r\n%bConnection: keep-alive\r\n\r\n" % (number, host))
            answer = one.recv(999)
            assert answer.endswith(b"GET /%d " % number)
            assert b"connection: keep-alive\r\n" in answer
        one.sendall(b"POST /x HTTP/1.0\r\n" + host + b"Content-Length: 2\r\n\r\nab")
        assert everything(one).endswith(b"POST /x ab")


def test_an_offer_of_http_1_0_stays_http_1_0(port: int) -> None:
    """It gets no 100 Continue, which it would not understand, and may keep its connection."""
    head = (
        b"POST /x HTTP/1.0\r\nConnection: Upgrade, keep-alive\r\nUpgrade: h2c\r\nExpect:"
        b" 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    with client(port) as one:
        for _ in range(2):
            one.sendall(head + b"ab")
            answer = one.recv(999)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"POST /x ab")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://localhost/x?y", b"/x"),
        (b"HTTP://localhost:8080/x", b"/x"),
        (b"https://127.0.0.1/x", b"/x"),
        (b"http://[::1]:1/x/y", b"/x/y"),
        (b"http://localhost", b"/"),
        (b"http://localhost?x", b"/"),
        (b"http://localhost/#x", b"/"),
    ],
)
def test_a_whole_address_is_served_by_its_own_host(port: int, target: bytes, path: bytes) -> None:
    for host in (b"localhost", b"evil.example"):  # RFC 9112, 3.2.2: the field is ignored
        assert told(port, b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host)).endswith(
            b"GET %b " % path
        )


def test_every_answer_has_its_date(port: int) -> None:
    for sent in (GET, b"nonsense\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n"):
        found = re.search(rb"\r\ndate: ([^\r]+)\r\n", told(port, sent))
        assert found
        assert found[1].endswith(b" GMT")
        assert abs(parsedate_to_datetime(found[1].decode()).timestamp() - time.time()) < 5


def test_nothing_is_read_behind_a_request_that_closes(port: int) -> None:
    answer = told(
        port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + GET + b"nonsense"
    )
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"GET /x ")


def test_a_head_behind_a_body_is_bounded_too(port: int) -> None:
    """It may come together with the last byte of the body."""
    post = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    with client(port) as one:
        one.sendall(post + b"a")
        one.sendall(b"b" + b"GET /y HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 5000 + b"\r\n")
        answer = everything(one)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 431" in answer


def test_who_waits_for_100_behind_another_request_gets_it_in_turn() -> None:
    held: list[Reply] = []
    expecting = (
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    with serving(lambda _, reply: held.append(reply)) as one, client(one.port) as two:
        two.sendall(GET + expecting)
        wait(lambda: len(held) == 1)
        one.service.loop.call_soon_threadsafe(held.pop(), Response(200, b"first"))
        answer = b""
        while b"100 Continue\r\n\r\n" not in answer:
            answer += two.recv(999)
        assert answer.index(b"first") < answer.index(b"HTTP/1.1 100 Continue")
        two.sendall(b"ok")
        wait(lambda: len(held) == 1)
        one.service.loop.call_soon_threadsafe(held.pop(), Response(200, b"second"))
        assert two.recv(999).endswith(b"second")


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
    """A request at work, one that is half sent, and an idle connection, when the server is told to
    stop.
    """
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
        working, half, resting = (
            socket.create_connection(("127.0.0.1", one.port), timeout=10) for _ in range(3)
        )
        resting.sendall(idle)
        assert resting.recv(999).endswith(b"idle")
        working.sendall(GET)
        half.sendall(GET[:-2])
        wait(
            lambda: (
                len(held) == 1
                and any(connection.state == "head" for connection in one.service.connections)
            )
        )
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
