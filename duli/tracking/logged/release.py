"""Logs a release in MLflow, from files: one run per distinct result and one model version per
content, however often.

DVC's files are the truth and MLflow is an index of them that can be made again, so logging has to
give the same after a crash in the middle, beside another process, and on an empty server. Nothing
is written twice because everything has a name by its content: the run the digest of its files, the
version that of its model, and every point one fixed time.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from duli.base.files import sha256
from duli.base.tasks import Task
from duli.tracking.client import flat, live, process
from duli.tracking.client.store import Store
from duli.tracking.headline import headline, measures
from duli.tracking.logged import note as notes
from duli.tracking.logged import registry, saved, view

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run
    from mlflow.models import ModelSignature

T = TypeVar("T")

RELEASE = "duli.release"
ALIAS = "challenger"
# before all names but the headline's: MLflow's pages sort by name, and so the dozen comes first
VALUES = "values"
FILES = "files.json"  # artifact of a run: what its identity is made of
BATCH, BATCH_PARAMS = 1000, 100  # MLflow takes no more at once


@dataclass(frozen=True)
class Dataset:
    """A split that went into a release."""

    name: str
    digest: str
    path: str
    rows: int
    context: str  # what it was used for


@dataclass(frozen=True)
class Release:
    """A release to log: plain values, and the paths of files to copy."""

    name: str  # of the experiment and of the registered model
    version: str  # of the release, for people
    files: Mapping[str, str]  # what it is made of, path -> SHA-256: its identity
    params: Mapping[str, Any]
    reports: Mapping[str, Any]  # by stage, and `resources`
    history: Sequence[dict[str, str]]  # the rows of the training's curves
    datasets: Sequence[Dataset]
    artifacts: Mapping[str, Sequence[Path]]  # folder -> files
    model: Path
    wheel: Path | None  # None if none was packed
    card: str
    task: Task
    answers: "Callable[[], ModelSignature]"  # MLflow's signature of what the wheel answers
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The identity of the result: two releases with the same are one."""
        return identity(self.files)

    @property
    def title(self) -> str:
        """The name of its run."""
        return f"{self.version}-{self.digest[:8]}"


@dataclass(frozen=True)
class Logged:
    """The place of a release in MLflow."""

    release: str  # its digest
    experiment: str
    experiment_id: str
    run_id: str
    registered_model: str
    version: int
    created: bool  # the run, by this call; else it was there
    registered: bool  # the version, by this call


def identity(files: Mapping[str, str]) -> str:
    """The name that a release has by its content, `files` being path -> SHA-256."""
    return sha256(json.dumps(dict(files), sort_keys=True).encode())


def log(store: Store, release: Release) -> Logged:
    """Makes sure that `release` stands in the store once: its run, its model version, and the alias
    on that version.

    Raises `DataError` for a number that is not finite, before anything is written, and `DuliError`
    where MLflow does not answer; what was written until then is used by the next call.
    """
    content = _Content(release)
    client = store.client()
    with store.answering(), store.locked():
        return _log(client, store, release, content)


class _Content:
    """The content of a release's run, flattened and checked before anything is written."""

    def __init__(self, release: Release) -> None:
        self.params = flat.params(release.params)
        shown = measures(release.task)
        self.headline = headline(release.reports, shown)
        stages = {
            f"{VALUES}/{name}": report
            for name, report in release.reports.items()
            if name != "resources"
        }
        self.metrics = {**self.headline, **flat.metrics(stages)}
        self.curves = [
            (f"{VALUES}/{name}", value, step)
            for name, value, step in flat.curves(list(release.history))
        ]
        judged = release.reports["gates"]
        self.note = notes.note(release.title, self.headline, judged, shown, release.task.SCORE)
        # Of the model version.
        self.description = f"{self.note}\n---\n\n{release.card}"
        self.tags = {
            registry.RELEASED: release.version,
            view.VERDICT: judged["verdict"],
            RELEASE: release.digest,
        }


def _log(client: "MlflowClient", store: Store, release: Release, content: _Content) -> Logged:
    experiment_id = store.experiment(client, release.name)
    live.heal(client, experiment_id)
    runs = _runs(client, experiment_id, release.digest)
    finished = [run for run in runs if run.info.status == "FINISHED"]
    for second in finished[1:]:  # a deleted one that came back with its experiment
        client.delete_run(second.info.run_id)
    run = finished[0] if finished else _start(client, experiment_id, release, content, runs)
    run_id = str(run.info.run_id)
    of_model = saved.Content(
        release.model, release.card, saved.package(release.wheel), release.answers
    )
    registered = registry.register(
        client, release.name, of_model, experiment_id, run_id, content.description, content.tags
    )
    if not finished:
        _fill(client, run, release, content, registered.model_id)
        run_id = _finish(client, experiment_id, release, run_id)
    else:
        _link(client, run, content, registered.model_id)
        if not _holds(client, run_id, release):
            _copy(client, run_id, release)
    client.set_registered_model_alias(release.name, ALIAS, str(registered.version))
    view.save(client, experiment_id, release.name, content.headline, release.task.SCORE.key)
    return Logged(
        release.digest,
        release.name,
        experiment_id,
        run_id,
        release.name,
        registered.version,
        created=not finished,
        registered=registered.created,
    )


def _runs(client: "MlflowClient", experiment_id: str, digest: str) -> "list[Run]":
    found = client.search_runs([experiment_id], f"tags.`{RELEASE}` = '{digest}'")
    return sorted(found, key=lambda run: str(run.info.run_id))


def _start(
    client: "MlflowClient",
    experiment_id: str,
    release: Release,
    content: _Content,
    unfinished: "list[Run]",
) -> "Run":
    """A run to fill: the one a crash left behind, unless it holds other params (those cannot be
    changed), or a new one.
    """
    chosen = None
    for run in unfinished:
        contradicts = any(
            content.params.get(key) != value for key, value in run.data.params.items()
        )
        if chosen is None and not contradicts:
            chosen = run
        else:
            client.delete_run(run.info.run_id)
    if chosen is not None:
        return chosen
    newest = client.search_runs([experiment_id], f"tags.`{RELEASE}` LIKE '%'", max_results=1)
    tags = {
        **release.tags,
        RELEASE: release.digest,
        live.PROCESS: process.identity(),
        notes.TAG: content.note,
        view.COLOUR: view.colour(newest[0].data.tags.get(view.COLOUR) if newest else None),
    }
    return client.create_run(experiment_id, int(time.time() * 1000), tags, release.title)


def _fill(
    client: "MlflowClient", run: "Run", release: Release, content: _Content, model_id: str
) -> None:
    """Writes everything of a release into its run; a second time it changes nothing."""
    from mlflow.entities import Metric, Param

    run_id, moment = run.info.run_id, run.info.start_time
    for params in _batches(
        (Param(key, value) for key, value in content.params.items()), BATCH_PARAMS
    ):
        client.log_batch(run_id, params=params)
    # The headline first, which is how MLflow lists it. It belongs to the model too, so that its own
    # page shows it.
    owner = dict.fromkeys(content.headline, model_id or None)
    points = [
        Metric(key, value, moment, 0, owner.get(key)) for key, value in content.metrics.items()
    ]
    points += [Metric(key, value, moment, step) for key, value, step in content.curves]
    for metrics in _batches(points, BATCH):
        client.log_batch(run_id, metrics=metrics)
    client.log_inputs(run_id, [_input(dataset) for dataset in release.datasets])
    _link(client, client.get_run(run_id), content, model_id)
    _copy(client, run_id, release)


def _link(client: "MlflowClient", run: "Run", content: _Content, model_id: str) -> None:
    """Makes the logged model an output of the run, by which the version of a release is found; a
    lost one may have been made again.
    """
    from mlflow.entities import LoggedModelOutput, Metric

    if model_id in (
        output.model_id for output in (run.outputs.model_outputs if run.outputs else [])
    ):
        return  # the one thing that MLflow refuses a second time
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, 0)])
    headline = [
        Metric(key, value, run.info.start_time, 0, model_id)
        for key, value in content.headline.items()
    ]
    client.log_batch(run.info.run_id, metrics=headline)


def _copy(client: "MlflowClient", run_id: str, release: Release) -> None:
    """Writes the files of a release into its run."""
    client.log_text(run_id, _listed(release), FILES)
    for folder, paths in release.artifacts.items():
        for path in paths:
            client.log_artifact(run_id, str(path), folder or None)


def _holds(client: "MlflowClient", run_id: str, release: Release) -> bool:
    """Whether the run has all the files of a release, those of its identity byte for byte: somebody
    may have cleared its artifacts.
    """
    from mlflow.exceptions import MlflowException

    identifying = set(release.files.values())
    with tempfile.TemporaryDirectory(prefix="duli-held-") as name:
        try:
            held = Path(client.download_artifacts(run_id, "", name))
            if (held / FILES).read_text() != _listed(release):
                return False
            for folder, paths in release.artifacts.items():
                for path in paths:
                    digest, kept = sha256(path), held / folder / path.name
                    if not kept.is_file() or (digest in identifying and sha256(kept) != digest):
                        return False
        except (MlflowException, OSError):
            return False
    return True


def _listed(release: Release) -> str:
    return json.dumps(dict(release.files), indent=2, sort_keys=True)


def _finish(client: "MlflowClient", experiment_id: str, release: Release, run_id: str) -> str:
    """Ends the run, unless another machine on the same server logged the same release meanwhile:
    then that one stays.
    """
    runs = _runs(client, experiment_id, release.digest)
    first = min(runs, key=lambda run: (run.info.status != "FINISHED", str(run.info.run_id)))
    stays = str(first.info.run_id)
    if stays != run_id and first.info.status == "FINISHED":
        client.delete_run(run_id)
        return stays
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _input(dataset: Dataset) -> "DatasetInput":
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    # MLflow has room for 36 characters of a digest; the whole of it stands in the source.
    source = json.dumps({"uri": dataset.path, "digest": dataset.digest})
    profile = json.dumps({"num_rows": dataset.rows})
    entity = Entity(dataset.name, dataset.digest[:32], "local", source, profile=profile)
    return DatasetInput(entity, [InputTag("mlflow.data.context", dataset.context)])


def _batches(items: "Sequence[T] | Iterator[T]", size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
