"""This line's releases in MLflow: log the one that lies here, look at all of them."""

import os
from pathlib import Path


def track() -> None:
    """Makes sure that this release stands in MLflow, from DVC's files; rebuilds a missing run or version, never a second one."""
    from stages.track import record

    logged = record(Path(), os.environ)
    print(
        f"run {logged.run_id} ({'logged now' if logged.created else 'was there'}), "
        f"{logged.registered_model} version {logged.version} ({'registered now' if logged.registered else 'was there'})"
    )


def ui() -> None:
    """Starts the MLflow UI on loopback and says which pages to open; Ctrl-C stops it."""
    from duli.tracking import store
    from duli.tracking.ui import serve

    serve(store.locate(os.environ, Path()), lambda text: print(text, flush=True))
