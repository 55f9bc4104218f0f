"""Requests to a server as bytes: good ones, the same ones made wrong, and schemathesis'."""

import random
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

SPICE = (
    b"NaN",
    b"1e999",
    b"-1",
    b"99999999999999999999",
    b"[" * 500,
    b"{" * 40,
    b'"',
    b"\\u0000",
    b"\xff\xfe",
    b"true",
    b"null",
    b"[]",
    b"{}",
    b"\r\n",
)


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body)}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def once(port: int, content: bytes) -> tuple[str, bytes]:
    """Status and body of what is answered to these bytes, after which nothing more is sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        try:
            one.sendall(content)
            one.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := one.recv(65536):
                answer += piece
        except ConnectionError:
            return "reset", b""
    return (answer[9:12].decode(), answer.partition(b"\r\n\r\n")[2]) if answer else ("none", b"")


def mutated(good: bytes, chance: random.Random) -> bytes:
    """A request with bytes changed, lost, doubled or put in; half of them keep a length that fits,
    to get past the head.
    """
    head, _, body = good.partition(b"\r\n\r\n")
    whole = chance.random() < 0.3
    text = bytearray(good if whole else body)
    for _ in range(chance.choice((1, 1, 2, 5, 50))):
        start = chance.randrange(len(text) + 1)
        stop = start + chance.choice((0, 1, 1, 4, 64))
        put = chance.choice(
            (b"", bytes([chance.randrange(256)]), text[start:stop] * 2, chance.choice(SPICE))
        )
        text[start:stop] = put
    if whole:
        return bytes(text)
    if chance.random() < 0.8:
        head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(text), head, count=1)
    if chance.random() < 0.2:
        head = re.sub(
            rb"(Inference-Header-Content-Length): \d+",
            rb"\1: %d" % chance.choice((0, 1, 99, len(text), 2**31)),
            head,
        )
    return head + b"\r\n\r\n" + bytes(text)


def schemathesis(
    port: int, examples: int = 150, phases: str = "examples,coverage,fuzzing"
) -> dict[str, int]:
    """What schemathesis finds, which makes requests up from the document: it looks for 5xx."""
    address = f"http://127.0.0.1:{port}"
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{address}/openapi.json",
        "--url",
        address,
    ]
    command += [
        "--checks",
        "not_a_server_error",
        "--phases",
        phases,
        "--max-examples",
        str(examples),
        "--seed",
        "0",
    ]
    with tempfile.TemporaryDirectory(prefix="duli-fuzz-") as name:
        told = subprocess.run(
            command, cwd=name, capture_output=True, text=True, check=False, timeout=300
        )
    made = re.search(r"(\d[\d,]*) generated", told.stdout)
    assert made, told.stdout[-2000:] + told.stderr[-2000:]
    return {"failures": int(told.returncode != 0), "requests": int(made[1].replace(",", ""))}
