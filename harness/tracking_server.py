"""A store behind a real MLflow server on loopback, and the addresses of its pages."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from duli.tracking import ui
from duli.tracking.client.store import Store
from duli.tracking.logged import view

# MLflow opens a chat beside its pages on the first visit.
WITHOUT_ASSISTANT = (
    "if (window === top) localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1',"
    " 'true')"
)
MODEL = view.MODELS.replace("models?", "models/digits?")
VERSION = view.MODELS.replace("models?", "models/digits/versions/1?")


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
