import contextlib
import http.client
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duli.base.errors import DataError, DuliError
from duli.base.files import sha256
from duli.tracking import ui
from duli.tracking.client.store import Store
from duli.tracking.logged import registry, release, saved, view
from duli.tracking.logged.release import Logged, Release
from stages import track
from tests.packaging import tiny
from tests.serving.served import serving
from tests.tracking import line
from tests.tracking.test_invocations import wheel_of

# Every call that changes the store, in the order a new release makes them.
WRITES = (
    "create_experiment",
    "create_run",
    "create_registered_model",
    "create_logged_model",
    "log_model_artifacts",
    "finalize_logged_model",
    "create_model_version",
    "set_logged_model_tags",
    "log_batch",
    "log_inputs",
    "log_outputs",
    "log_text",
    "log_artifact",
    "set_terminated",
    "set_registered_model_alias",
    "set_experiment_tag",
)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def made(tmp_path: Path) -> Release:
    line.build(tmp_path / "line")
    return track.gather(tmp_path / "line", {})


def _runs(store: Store) -> list[Any]:
    client = store.client()
    return list(client.search_runs([store.experiment(client, "digits")]))


def _versions(store: Store) -> list[int]:
    return sorted(
        int(version.version) for version in store.client().search_model_versions("name = 'digits'")
    )


def _complete(store: Store, made: Release, logged: Logged) -> None:
    """The one run of a release has everything, and so has its model."""
    client = store.client()
    [run] = _runs(store)
    assert run.info.run_id == logged.run_id
    assert run.info.status == "FINISHED"
    assert run.data.tags[release.RELEASE] == made.digest
    assert run.data.params == {
        "kind": "image",
        "task": "classification",
        "train.learning_rate": "0.1",
        "train.layers": "[1, 2]",
        "evaluate.note": "plain",
    }
    metrics = run.data.metrics
    assert (
        metrics["accuracy"],
        metrics["train_seconds"],
        metrics["values/business.unit_cost_usd_per_million.value"],
    ) == (0.99, 30.0, 12.5)
    assert [
        (point.step, point.value)
        for point in client.get_metric_history(logged.run_id, view.curves("accuracy")[0])
    ] == [(1, 0.5), (2, 0.25)]
    assert {entry.dataset.name: entry.tags[0].value for entry in run.inputs.dataset_inputs} == {
        "mnist.train": "training",
        "mnist.validation": "validation",
        "mnist.test": "evaluation",
    }
    assert {entry.path for entry in client.list_artifacts(logged.run_id)} == {
        "MODEL_CARD.md",
        "benchmark.html",
        "dist",
        "evaluation",
        "evaluation.html",
        "files.json",
        "manifest.json",
        "report.html",
        "report.zh.html",
        "reports",
        "weights",
    }
    # and the assumptions and predictions
    assert len(client.list_artifacts(logged.run_id, "reports")) == len(track.METRICS) + 2
    assert _versions(store) == [logged.version]
    version = client.get_model_version_by_alias("digits", "challenger")
    assert version.description.startswith("Release: accuracy 99.00%\n")
    assert version.description.endswith(made.card)
    assert (version.tags["duli.verdict"], version.tags[release.RELEASE]) == ("release", made.digest)
    [output] = run.outputs.model_outputs
    assert output.model_id == version.tags[registry.MODEL]
    [model] = client.search_logged_models([logged.experiment_id])
    assert (model.model_id, str(model.status)) == (output.model_id, "READY")
    assert {metric.key for metric in model.metrics} >= {"accuracy", "latency_ms"}
    experiment = client.get_experiment(logged.experiment_id)
    assert view.TAG in experiment.tags


def test_a_release_is_one_run_with_everything(store: Store, made: Release) -> None:
    logged = release.log(store, made)
    assert (logged.created, logged.registered, logged.version) == (True, True, 1)
    _complete(store, made, logged)


def test_the_second_time_finds_what_the_first_made_and_writes_next_to_nothing(
    store: Store, made: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release.log(store, made)
    calls = _spy(monkeypatch)
    assert release.log(store, made) == replace(first, created=False, registered=False)
    assert calls == ["set_registered_model_alias"]
    _complete(store, made, first)


def test_the_same_result_from_other_params_is_the_same_release(store: Store, made: Release) -> None:
    first = release.log(store, made)
    assert (
        release.log(store, replace(made, params={"train": {"learning_rate": 0.2}})).run_id
        == first.run_id
    )


def test_a_changed_price_is_a_new_run_of_the_same_version(
    store: Store, made: Release, tmp_path: Path
) -> None:
    first = release.log(store, made)
    line.build(tmp_path / "line", cost=13.0)
    second = release.log(store, track.gather(tmp_path / "line", {}))
    assert second.run_id != first.run_id
    assert (second.created, second.registered, second.version) == (True, False, 1)
    newest, oldest = _runs(store)
    assert newest.outputs.model_outputs[0].model_id == oldest.outputs.model_outputs[0].model_id
    assert (oldest.data.tags[view.COLOUR], newest.data.tags[view.COLOUR]) == view.COLOURS[:2]


@pytest.mark.parametrize("at", ["update_model_version", "set_model_version_tag", None])
def test_a_version_says_which_release_has_it_now_and_keeps_what_people_wrote_about_that(
    store: Store, made: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str | None
) -> None:
    release.log(store, made)
    client = store.client()
    client.update_model_version("digits", "1", "Ours.")
    release.log(store, made)
    assert client.get_model_version("digits", "1").description == "Ours."
    line.build(tmp_path / "line", cost=13.0)
    dearer = track.gather(tmp_path / "line", {})
    with monkeypatch.context() as patched:
        _spy(patched, at)
        with contextlib.suppress(Killed):
            release.log(store, dearer)
    release.log(store, dearer)
    version = client.get_model_version("digits", "1")
    assert "| unit_cost_usd_per_million | 13 | USD for a million answers |" in version.description
    assert version.tags[release.RELEASE] == dearer.digest


def test_another_model_is_another_version_and_going_back_moves_the_alias(
    store: Store, made: Release, tmp_path: Path
) -> None:
    first = release.log(store, made)
    line.build(tmp_path / "other", bias=2.0, accuracy=0.98)
    second = release.log(store, track.gather(tmp_path / "other", {}))
    client = store.client()
    assert (
        second.version,
        int(client.get_model_version_by_alias("digits", "challenger").version),
    ) == (2, 2)
    assert release.log(store, made).run_id == first.run_id
    assert int(client.get_model_version_by_alias("digits", "challenger").version) == 1
    assert len(_versions(store)) == 2


@pytest.mark.parametrize("at", WRITES)
def test_killed_before_any_write_the_next_call_leaves_one_complete_release(
    store: Store, made: Release, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    with monkeypatch.context() as patched:
        _spy(patched, at)
        with pytest.raises(Killed):
            release.log(store, made)
    _complete(store, made, release.log(store, made))


def test_a_half_made_run_with_other_params_is_replaced(
    store: Store, made: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        _spy(patched, "log_inputs")
        with pytest.raises(Killed):
            release.log(store, replace(made, params={"train": {"learning_rate": 0.2}}))
    _complete(store, made, release.log(store, made))


def test_all_writes_are_known_to_the_test_above(
    store: Store, made: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _spy(monkeypatch)
    release.log(store, made)
    assert list(dict.fromkeys(calls)) == list(WRITES)


def test_four_at_once_make_one_release(store: Store, made: Release) -> None:
    with ThreadPoolExecutor(4) as pool:  # each opens the lock for itself, as processes do
        logged = list(pool.map(lambda _: release.log(store, made), range(4)))
    assert len({entry.run_id for entry in logged}) == 1
    assert sum(entry.created for entry in logged) == 1
    _complete(store, made, logged[0])


def test_two_machines_on_one_server_end_with_one_run(
    store: Store, made: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    create = MlflowClient.create_run
    others: list[Logged] = []

    def meanwhile(client: Any, *arguments: Any) -> Any:
        if not others:
            others.append(Logged("", "", "", "", "", 0, created=True, registered=True))
            others.append(
                release.log(replace(store, lock=store.lock.with_name("another machine's")), made)
            )
        return create(client, *arguments)

    monkeypatch.setattr(MlflowClient, "create_run", meanwhile)
    logged = release.log(store, made)
    assert logged.run_id == others[1].run_id
    _complete(store, made, logged)


def test_a_lost_database_is_made_again(
    store: Store, made: Release, fresh: Callable[[Path], Store], tmp_path: Path
) -> None:
    first = release.log(store, made)
    again = fresh(tmp_path / "new server")
    logged = release.log(again, made)
    assert logged.created
    assert logged.release == first.release
    _complete(again, made, logged)


def test_a_lost_version_is_made_again_for_the_run_that_is_there(
    store: Store, made: Release
) -> None:
    first = release.log(store, made)
    store.client().delete_registered_model("digits")
    logged = release.log(store, made)
    assert (logged.run_id, logged.created, logged.registered) == (first.run_id, False, True)
    _complete(store, made, logged)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_refused_before_anything_is_written(
    store: Store, made: Release, poison: float
) -> None:
    poisoned = {**made.reports, "train": {**made.reports["train"], "loss": poison}}
    with pytest.raises(DataError, match=r"train\.loss is"):
        release.log(store, replace(made, reports=poisoned))
    assert _runs(store) == []


def test_a_server_that_is_down_is_one_line_with_the_fix(nowhere: Store, made: Release) -> None:
    started = time.perf_counter()
    with pytest.raises(DuliError, match=r"http://127.0.0.1:9.*MLFLOW_TRACKING_URI"):
        release.log(nowhere, made)
    assert time.perf_counter() - started < 10


def test_the_registered_model_is_the_released_one_and_predicts(
    store: Store, made: Release, mlflow_at: Callable[[Store], Any]
) -> None:
    logged = release.log(store, made)
    mlflow = mlflow_at(store)
    model = mlflow.pyfunc.load_model("models:/digits@challenger")
    images = np.array([[[[1, 2]]], [[[0, 200]]]], np.uint8)
    expected = images.reshape(2, 2) @ np.arange(6.0, dtype=np.float32).reshape(2, 3) + 1
    assert np.array_equal(model.predict({"images": images})["logits"], expected)
    assert np.array_equal(model.predict(images)["logits"], expected)
    with pytest.raises(mlflow.exceptions.MlflowException, match="uint8"):
        model.predict({"images": images.astype(np.float64)})
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/digits/{logged.version}"))
    assert sha256(folder / "model.onnx") == sha256(made.model)
    assert json.loads((folder / "input_example.json").read_text()) is not None
    assert "onnxruntime==" in (folder / "requirements.txt").read_text()
    assert (folder / saved.CARD).read_text() == made.card
    described = mlflow.models.Model.load(str(folder))
    assert set(described.flavors) == {"onnx", "python_function"}
    assert [(spec.name, spec.shape) for spec in described.signature.inputs] == [
        ("images", (-1, 1, 1, 2))
    ]
    assert [(spec.name, spec.shape) for spec in described.signature.outputs] == [
        ("logits", (-1, 3))
    ]


@pytest.mark.slow
def test_mlflow_serves_the_registered_release(store: Store, made: Release, tmp_path: Path) -> None:
    """With the command that its customers type, the answers of the release's own server, floats
    included.
    """
    package = tiny.package(tmp_path / "bright_row", temperature=2.0)
    release.log(
        store,
        replace(
            made, model=package / "model.onnx", wheel=wheel_of(package, tmp_path / "bright_row.whl")
        ),
    )
    port = ui._free_port(0)
    command = [
        "mlflow",
        "models",
        "serve",
        "-m",
        "models:/digits@challenger",
        "--env-manager",
        "local",
        "-h",
        ui.HOST,
        "-p",
        str(port),
    ]
    environment = {
        **ui._environment(),
        "MLFLOW_TRACKING_URI": store.tracking_uri,
        # where it looks for its own server
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    images = tiny.images(3).astype(float).tolist()
    with tempfile.TemporaryFile("w+") as log, serving(package=package) as served:
        server = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=log, stderr=log
        )
        try:
            ui._wait(server, port, log)
            for body in (
                {"inputs": {"images": images}},
                {"instances": images},
                {"inputs": [[[["a", "b"]]]]},
            ):
                status, answer = _asked(port, body)
                ours, said, _ = served.ask("POST", "/invocations", body)
                assert status == ours
                assert status == 400 or answer == said
        finally:
            ui._stop(server)


def _asked(port: int, body: Any) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(ui.HOST, port, timeout=30)
    with contextlib.closing(connection):
        connection.request(
            "POST", "/invocations", json.dumps(body), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())


@pytest.fixture
def mlflow_at() -> Iterator[Callable[[Store], Any]]:
    """MLflow as a customer of the registry uses it, with its global address."""
    import mlflow
    import mlflow.pyfunc

    def at(store: Store) -> Any:
        mlflow.set_tracking_uri(store.tracking_uri)
        return mlflow

    yield at
    mlflow.set_tracking_uri(None)


def _spy(monkeypatch: pytest.MonkeyPatch, kill: str | None = None) -> list[str]:
    """The writes that follow, by name; before the one called `kill` the process ends."""
    from mlflow import MlflowClient

    calls: list[str] = []

    def spied(name: str) -> Any:
        real = getattr(MlflowClient, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if name == kill:
                raise Killed
            calls.append(name)
            return real(*arguments, **options)

        return call

    for name in dir(MlflowClient):
        if name.split("_")[0] in (
            "create",
            "log",
            "set",
            "finalize",
            "delete",
            "update",
            "restore",
        ):
            monkeypatch.setattr(MlflowClient, name, spied(name))
    return calls
