"""A store behind a real MLflow server on loopback."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from duli.tracking import ui
from duli.tracking.client.store import Store


@contextmanager
def served(store: Store) -> Iterator[str]:
    """The address of a server on a free port, which ends with the block."""
    port = ui._free_port(0)
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            ui._command(store, port),
            env=ui._environment(),
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
        try:
            ui._wait(server, port, log)
            yield f"http://{ui.HOST}:{port}"
        finally:
            ui._stop(server)
