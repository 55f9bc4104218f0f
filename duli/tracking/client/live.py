"""The live run of a training: curves to watch while it goes on, which never slow it and never stop
it.

What is logged here is for the eyes; the release run has all of it again, from files. So nothing
here may cost the training anything: a thread of its own imports MLflow, makes the run and sends
what has gathered once a second.
"""

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from duli.tracking.client import process
from duli.tracking.client.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

PERIOD = 1.0  # seconds between batches
# seconds `close` waits for what has not arrived: a new database on a busy machine takes that long
PATIENCE = 20.0
PATIENCE_INTERRUPTED = 5.0
AGAIN = 5.0  # seconds between attempts while tracking is down
BATCH, BATCH_PARAMS = 1000, 100  # MLflow takes no more at once

PROCESS = "duli.process"


class LiveRun:
    """A run in MLflow that is fed from a training loop; a context manager that says how the
    training ended.

    No method raises, and none but `close` waits. Where tracking is down, what is logged is kept and
    sent when it is back; `close` says in one line what did not arrive.
    """

    def __init__(
        self,
        store: Store,
        experiment: str,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        self._store = store
        self._experiment = experiment
        self._name = name
        self._params = deque(params.items())
        self._tags = {**tags, PROCESS: process.identity()}
        self._start = _now()
        # appended here, taken by the thread: both atomic
        self._points: deque[tuple[str, float, int, int]] = deque()
        self._not_finite = 0
        self._status = "RUNNING"
        self._ended = threading.Event()
        self._client: MlflowClient | None = None
        self._run_id: str | None = None
        self._problem = ""
        self._complete = False
        self._closed = False
        self._abandoned = False
        # A daemon: a server that hangs must not keep the process alive after `close` has given up.
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Takes the metrics of one step; those that are not finite are left out and counted (MLflow
        would store 1.8e308).
        """
        now = _now()
        for key, value in metrics.items():
            if math.isfinite(value):
                self._points.append((key, float(value), now, step))
            else:
                self._not_finite += 1

    def close(self, status: str = "FINISHED") -> str | None:
        """Sends the rest, ends the run, gives its id, or None where tracking was down; waits for a
        bounded time.
        """
        if not self._closed:
            self._closed = True
            self._status = status
            self._ended.set()
            self._thread.join(PATIENCE if status != "KILLED" else PATIENCE_INTERRUPTED)
            if not self._complete:
                self._abandoned = True
                print(
                    f"MLflow at {self._store.tracking_uri}: the live run is not complete"
                    f" ({self._problem or 'no answer in time'}); the training and its files are",
                    file=sys.stderr,
                )
            elif self._not_finite:
                print(
                    f"{self._not_finite} metrics were not finite and are not in MLflow's live run",
                    file=sys.stderr,
                )
        return self._run_id if self._complete else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close("FINISHED")
        elif issubclass(kind, Exception):
            self.close("FAILED")
        else:  # KeyboardInterrupt, SystemExit
            self.close("KILLED")

    def _work(self) -> None:
        """The thread: start, batches, end; what fails is tried again until `close` gives up."""
        while not self._abandoned:
            # read first: what was logged before the end is sent in this round
            last = self._ended.is_set()
            try:
                self._send()
                if last:
                    self._finish()
                    return
                pause = PERIOD
            except Exception as error:  # noqa: BLE001 -- MLflow, SQLAlchemy, the network: tracking is down, the training is not
                self._problem = _one_line(error)
                pause = AGAIN
            if last:
                time.sleep(PERIOD)
            else:
                self._ended.wait(pause)

    def _send(self) -> None:
        client, run_id = self._open()
        while self._params:
            some = list(self._params)[:BATCH_PARAMS]
            client.log_batch(run_id, params=[_param(*pair) for pair in some])
            for _ in some:
                self._params.popleft()
        while self._points:
            batch = [self._points[index] for index in range(min(BATCH, len(self._points)))]
            client.log_batch(run_id, metrics=[_metric(*point) for point in batch])
            # only now: a batch that failed is sent again, and MLflow drops what it has
            for _ in batch:
                self._points.popleft()

    def _finish(self) -> None:
        client, run_id = self._open()
        client.set_terminated(run_id, self._status)
        self._complete = True

    def _open(self) -> "tuple[MlflowClient, str]":
        """The client and the run, made at the first call that succeeds."""
        if self._client is None:
            self._client = self._store.client()
        client = self._client
        if self._run_id is None:
            experiment_id = self._store.experiment(client, self._experiment)
            heal(client, experiment_id)
            run = client.create_run(experiment_id, self._start, self._tags, self._name)
            self._run_id = str(run.info.run_id)
        return client, self._run_id


def heal(client: "MlflowClient", experiment_id: str) -> list[str]:
    """Ends the runs that processes of this machine left RUNNING when they were killed; gives their
    ids.
    """
    healed = []
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        if process.is_gone(run.data.tags.get(PROCESS, "")):
            client.set_terminated(run.info.run_id, "KILLED")
            healed.append(str(run.info.run_id))
    return healed


def _metric(key: str, value: float, timestamp: int, step: int) -> "Metric":
    from mlflow.entities import Metric

    return Metric(key, value, timestamp, step)


def _param(key: str, value: str) -> "Param":
    from mlflow.entities import Param

    return Param(key, value)


def _now() -> int:
    return int(time.time() * 1000)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."
