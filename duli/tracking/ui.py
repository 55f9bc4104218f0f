"""Serves the MLflow UI on this machine alone, for as long as somebody looks at it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO

from duli.base.errors import DuliError
from duli.tracking.client.store import Store
from duli.tracking.logged import view
from duli.tracking.logged.release import RELEASE

HOST = "127.0.0.1"
PORT = 5000
PATIENCE = 90.0  # seconds until the server has to be up
GRACE = 10.0  # seconds it gets to end


def serve(store: Store, say: Callable[[str], None], port: int = PORT) -> None:
    """Runs the server until Ctrl-C (SIGTERM, SIGHUP) and says which pages to open; a free port is
    taken where `port` is not.

    For a store that is a server already, says its pages and returns. Raises `DuliError` if the
    server does not come up.
    """
    with store.answering():
        paths = pages(store)
    if store.artifact_root is None:
        say(_lines(store.tracking_uri.rstrip("/"), paths))
        return
    free = _free_port(port)
    if free != port:
        say(f"port {port} is taken; using {free}")
    address = f"http://{HOST}:{free}"
    with tempfile.TemporaryFile("w+") as log:
        # a closed terminal is a Ctrl-C too, or the server would stay
        for kind in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(kind, signal.default_int_handler)
        # A group of its own: Ctrl-C reaches us alone, and what the server started ends with it.
        server = subprocess.Popen(
            _command(store, free),
            env=_environment(),
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
        try:
            _wait(server, free, log)
            say(f"{_lines(address, paths)}\n\nCtrl-C stops the server")
            server.wait()
            raise DuliError(
                f"the MLflow server ended by itself: {_last_words(log)}; start it again"
            )
        except KeyboardInterrupt:
            say("stopped")
        finally:
            _stop(server)


def pages(store: Store) -> list[tuple[str, str]]:
    """The pages to open: titles and paths on the server."""
    client = store.client()
    found = []
    for experiment in client.search_experiments():
        key, name = str(experiment.experiment_id), experiment.name
        newest = client.search_runs([key], f"tags.`{RELEASE}` LIKE '%'", max_results=2)
        if newest:
            found += [(f"{name}: releases", view.table(key)), (f"{name}: charts", view.charts(key))]
        if len(newest) == 2:
            found.append(
                (f"{name}: last two", view.compare(key, [str(run.info.run_id) for run in newest]))
            )
    return (
        [*found, ("models", view.MODELS)]
        if found
        else [("no release yet, `dvc repro` makes one", view.HOME)]
    )


def _lines(server: str, paths: list[tuple[str, str]]) -> str:
    width = max(len(title) for title, _ in paths)
    return "\n".join(f"{title:<{width}}  {server}{path}" for title, path in paths)


def _command(store: Store, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *(
            "--backend-store-uri",
            store.tracking_uri,
            "--default-artifact-root",
            store.artifact_root or "",
        ),
    ]


def _environment() -> dict[str, str]:
    return {
        **{
            key: value
            for key, value in os.environ.items()
            if key not in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
        },
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",  # its last words say why it did not start
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(server: "subprocess.Popen[bytes]", port: int, log: IO[str]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if server.poll() is not None:
            raise DuliError(f"the MLflow server did not start: {_last_words(log)}")
        # goes through no proxy, unlike urllib
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return
        except (OSError, http.client.HTTPException):
            pass  # nobody listens yet
        finally:
            connection.close()
        time.sleep(0.2)
    raise DuliError(
        f"the MLflow server did not answer on port {port} within {PATIENCE:.0f} s:"
        f" {_last_words(log)}"
    )


def _last_words(log: IO[str]) -> str:
    log.seek(0)
    return (log.read().strip().splitlines() or ["no reason given"])[-1]


def _stop(server: "subprocess.Popen[bytes]") -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):  # nobody is left of the group
            os.killpg(server.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE)
