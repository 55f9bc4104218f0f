import math
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from duli.tracking.client import live, process
from duli.tracking.client.live import LiveRun
from duli.tracking.client.store import Store
from tests.closure import ROOT

TRAINING = """
import sys, time
from pathlib import Path
from duli.tracking.client import live, store
live.PERIOD = 0.1
run = live.LiveRun(store.locate({"DVC_ROOT": sys.argv[1]}, Path()), "digits", "lr 0.1", {}, {})
while run._run_id is None:
    time.sleep(0.05)
print(run._run_id, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PERIOD", 0.05)
    monkeypatch.setattr(live, "AGAIN", 0.05)


def _run(store: Store, run_id: str | None) -> Any:
    assert run_id is not None
    return store.client().get_run(run_id)


def test_curves_params_and_tags_arrive(store: Store) -> None:
    params = {f"p{index}": str(index) for index in range(150)}
    with LiveRun(store, "digits", "lr 0.1", params, {"kind": "training"}) as run:
        for step in range(1200):
            run.log(step, {"loss": 1 / (step + 1)})
    logged = _run(store, run.close())
    assert (logged.info.status, logged.info.run_name) == ("FINISHED", "lr 0.1")
    assert logged.data.params == params
    assert logged.data.tags["kind"] == "training"
    history = store.client().get_metric_history(logged.info.run_id, "loss")
    assert sorted((point.step, point.value) for point in history) == [
        (step, 1 / (step + 1)) for step in range(1200)
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError(), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(), "KILLED")],
    ids=str,
)
def test_how_the_training_ended(store: Store, error: BaseException, status: str) -> None:
    run = LiveRun(store, "digits", "x", {}, {})
    with pytest.raises(type(error)), run:
        raise error
    assert _run(store, run.close()).info.status == status


def test_what_is_not_finite_is_left_out_and_counted(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with LiveRun(store, "digits", "x", {}, {}) as run:
        run.log(1, {"loss": math.nan, "rate": math.inf, "accuracy": 0.5})
    assert _run(store, run.close()).data.metrics == {"accuracy": 0.5}
    assert capsys.readouterr().err.startswith("2 metrics were not finite")


def test_a_server_that_is_down_costs_the_training_nothing(
    nowhere: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.5)
    started, cpu = time.perf_counter(), time.thread_time()
    run = LiveRun(nowhere, "digits", "x", {}, {})
    for step in range(1000):
        run.log(step, {"loss": 1.0})
    # of this thread alone: other work on the machine must not count
    assert time.thread_time() - cpu < 0.5
    assert run.close() is None
    assert time.perf_counter() - started < 3
    assert capsys.readouterr().err.count("\n") == 1
    run._thread.join(10)
    assert not run._thread.is_alive()


def test_nothing_is_lost_while_the_server_is_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    calls = {"create_run": 0, "log_batch": 0, "set_terminated": 0}

    def flaky(name: str) -> Any:
        real = getattr(MlflowClient, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            if calls[name] % 3:
                raise ConnectionError(name)
            return real(*arguments, **options)

        return call

    for name in calls:
        monkeypatch.setattr(MlflowClient, name, flaky(name))
    with LiveRun(store, "digits", "x", {"a": "1"}, {}) as run:
        for step in range(5):
            run.log(step, {"loss": float(step)})
            time.sleep(0.1)
    logged = _run(store, run.close())
    assert (logged.info.status, logged.data.params) == ("FINISHED", {"a": "1"})
    assert len(store.client().get_metric_history(logged.info.run_id, "loss")) == 5
    assert min(calls.values()) >= 3


def test_the_run_of_a_killed_training_is_ended_by_the_next_start(store: Store) -> None:
    root = str(store.lock.parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", TRAINING, root], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as training:
        assert training.stdout is not None
        run_id = training.stdout.readline().strip()
        client = store.client()
        experiment_id = store.experiment(client, "digits")
        assert live.heal(client, experiment_id) == []  # it is still alive
        training.send_signal(signal.SIGKILL)
    assert client.get_run(run_id).info.status == "RUNNING"
    LiveRun(store, "digits", "next", {}, {}).close()
    assert client.get_run(run_id).info.status == "KILLED"


def test_runs_of_other_machines_and_of_unknown_origin_are_left_alone(store: Store) -> None:
    client = store.client()
    experiment_id = store.experiment(client, "digits")
    _, _, namespace, _, start = process.identity().split()
    client.create_run(
        experiment_id, tags={live.PROCESS: f"elsewhere another-boot {namespace} 999999 {start}"}
    )
    client.create_run(experiment_id)
    assert live.heal(client, experiment_id) == []
