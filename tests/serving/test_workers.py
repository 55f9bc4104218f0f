"""A server of several processes: they share the port, count together, and end together."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from duli.serving import workers
from tests.packaging import tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one worker"),
]
LISTS = json.dumps({"images": tiny.images(4).tolist()}).encode()
JSON = {"content-type": "application/json"}
# Linux spreads connections over sockets; elsewhere all processes accept at the same one.
SYSTEMS = [True, False] if workers.BALANCED else [False]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.package(tmp_path_factory.mktemp("installed") / "bright_row")


def command(*arguments: str, balanced: bool = workers.BALANCED) -> list[str]:
    code = f"import sys; from bright_row import workers; workers.BALANCED = {balanced}; "
    code += "from bright_row.__main__ import main; sys.exit(main())"
    return [sys.executable, "-c", code, "serve", "--workers", "2", *arguments]


def environment(package: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def two(
    package: Path, *, balanced: bool = True
) -> Iterator[tuple["subprocess.Popen[str]", int, list[int]]]:
    """A server of two processes, its port, and the processes."""
    started = subprocess.Popen(
        command("--port", "0", balanced=balanced),
        env=environment(package),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with started:
        assert started.stdout is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", started.stdout.readline())
            assert found, started.stderr.read() if started.stderr else ""
            told = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(started.pid)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            children = [int(pid) for pid in told.split()]
            assert len(children) == 2
            yield started, int(found[1]), children
        finally:
            started.kill()


def ask(port: int, method: str = "GET", path: str = "/ping") -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()


def ended(process: int) -> bool:
    """Whether it is gone, or waits for nobody but who started it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("balanced", SYSTEMS)
def test_all_that_was_sent_is_answered_after_sigterm(package: Path, balanced: bool) -> None:
    with two(package, balanced=balanced) as (started, port, _):
        connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(12)]
        for connection in connections:
            connection.request("POST", "/predict", LISTS, JSON)
        answers = [connection.getresponse().read() for connection in connections]
        for connection in connections:
            connection.request("POST", "/predict", LISTS, JSON)
        started.send_signal(signal.SIGTERM)
        for connection, first in zip(connections, answers, strict=True):
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, first)
            connection.close()
        assert started.wait(10) == 0
        assert started.stderr is not None
        assert started.stderr.read() == ""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.parametrize("balanced", SYSTEMS)
def test_metrics_are_of_all_processes(package: Path, balanced: bool) -> None:
    with two(package, balanced=balanced) as (_, port, _):
        for _ in range(40):
            assert ask(port, path="/v2")[0] == 200
        for _ in range(8):
            text = ask(port, path="/metrics")[1].decode()
            assert 'http_requests_total{route="/v2",status="200"} 40\n' in text


def test_one_that_ends_unasked_ends_all(package: Path) -> None:
    with two(package) as (started, _, (first, second)):
        os.kill(first, signal.SIGKILL)
        assert started.wait(20) == 5
        assert ended(second)
        assert started.stderr is not None
        told = started.stderr.read()
    assert (told.count("\n"), f"process {first}" in told) == (1, True)


def test_none_outlives_the_supervisor(package: Path) -> None:
    with two(package) as (started, _, children):
        started.kill()
        started.wait()
        until = time.monotonic() + 10
        while not all(map(ended, children)):
            assert time.monotonic() < until
            time.sleep(0.02)


def test_what_is_wrong_is_said_once(package: Path, tmp_path: Path) -> None:
    def serve(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*arguments),
            env=environment(folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = serve(package, "--port", str(taken.getsockname()[1]))
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "choose another with --host and --port" in told.stderr
    with two(package) as (_, port, _):  # which would share its port with any other of this user
        assert serve(package, "--port", str(port)).returncode == 2
    told = serve(package, "--port", "0", "--statistics", str(tmp_path / "counts.json"))
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "--statistics" in told.stderr
    # as released, and yet it does not load
    broken = tiny.package(tmp_path / "bright_row", b"no model")
    told = serve(broken, "--port", "0")
    assert told.returncode == 1
    assert told.stderr.count("Traceback") == 1
