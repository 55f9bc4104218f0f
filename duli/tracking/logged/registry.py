"""The model registry: one version per content, found again by the SHA-256 of the ONNX file."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from duli.base.files import sha256
from duli.tracking.logged import saved
from duli.tracking.logged.saved import Content

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

SHA256 = "duli.model_sha256"
# of the logged model: MLflow's database does not keep what `create_model_version` is told
MODEL = "duli.model_id"
RELEASED = "duli.version"  # of the release that was logged last with the model
ALIASES = (
    "`challenger` was logged last. `champion` is in use and `previous` was before it: `duli"
    " promote` and `duli rollback` move them."
)
# MLflow's own: the page of a logged model links to its versions by it
VERSIONS = "mlflow.modelVersions"


@dataclass(frozen=True)
class Registered:
    """A version of a registered model."""

    version: int
    model_id: str  # of the logged model behind it
    created: bool  # or found


def register(
    client: "MlflowClient",
    name: str,
    content: Content,
    experiment_id: str,
    run_id: str,
    description: str,
    tags: Mapping[str, str],
) -> Registered:
    """The version of the model `name` that has the bytes of the ONNX file in `content`; it is made
    if there is none.

    `description` and `tags` say which release has it now: several do where only prices changed.
    Whoever calls holds the store's lock. A crash at any place leaves nothing that a second call
    does not use or remove.
    """
    digest = sha256(content.onnx)
    version = find(client, name, digest)
    logged = _alive(client, version)
    created = version is None
    if version is None and not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=ALIASES)
    if logged is None:
        logged = _log(client, name, content, digest, experiment_id, run_id)
    if version is None:
        version = client.create_model_version(
            # The place, not models:/<id>: that one MLflow would look up in the process's default
            # store.
            name,
            logged.artifact_location,
            run_id,
            tags={**tags, SHA256: digest, MODEL: logged.model_id},
            description=description,
            model_id=logged.model_id,
        )
        client.set_logged_model_tags(
            logged.model_id, {VERSIONS: json.dumps([{"name": name, "version": version.version}])}
        )
    else:
        _describe(client, version, description, tags)
        if version.tags.get(MODEL) != logged.model_id:
            client.set_model_version_tag(name, version.version, MODEL, logged.model_id)
    _restore(client, version, content, logged, run_id)
    return Registered(int(version.version), str(logged.model_id), created=created)


def find(client: "MlflowClient", name: str, digest: str) -> "ModelVersion | None":
    """The first version of the model `name` whose ONNX file has the SHA-256 `digest`."""
    versions = client.search_model_versions(f"name = '{name}' and tag.`{SHA256}` = '{digest}'")
    return min(versions, key=lambda version: int(version.version), default=None)


def _alive(client: "MlflowClient", version: "ModelVersion | None") -> "LoggedModel | None":
    """The logged model of a version; None if somebody has deleted it."""
    from mlflow.exceptions import MlflowException

    if version is None or MODEL not in version.tags:
        return None
    try:
        return client.get_logged_model(version.tags[MODEL])
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _restore(
    client: "MlflowClient",
    version: "ModelVersion",
    content: Content,
    logged: "LoggedModel",
    run_id: str,
) -> None:
    """Writes the files of a version again, where they are lost, changed, or answer as another
    release of the same model does.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    kept = get_artifact_repository(version.source, tracking_uri=client.tracking_uri)
    with tempfile.TemporaryDirectory(prefix="duli-model-") as folder:
        try:
            described = Path(kept.download_artifacts("MLmodel", folder)).read_text(encoding="utf-8")
            intact = sha256(kept.download_artifacts(saved.MODEL, folder)) == sha256(content.onnx)
            if intact and (content.package is None or content.package.digest in described):
                return
        except (MlflowException, OSError):
            pass
        saved.write(content, Path(folder) / "model", logged, run_id)
        kept.log_artifacts(f"{folder}/model")


def _describe(
    client: "MlflowClient", version: "ModelVersion", description: str, tags: Mapping[str, str]
) -> None:
    """Notes on an existing version which release has it now; text that people wrote stays as long
    as the release is the same.
    """
    changed = {key: value for key, value in tags.items() if version.tags.get(key) != value}
    if changed:
        client.update_model_version(version.name, version.version, description)
    for key, value in changed.items():
        client.set_model_version_tag(version.name, version.version, key, value)


def _log(
    client: "MlflowClient",
    name: str,
    content: Content,
    digest: str,
    experiment_id: str,
    run_id: str,
) -> "LoggedModel":
    """A model in the experiment, complete: one that a crash left half-made is removed."""
    for found in client.search_logged_models([experiment_id], f"tags.`{SHA256}` = '{digest}'"):
        if str(found.status) == "READY":
            return found
        client.delete_logged_model(found.model_id)
    logged = client.create_logged_model(experiment_id, name, run_id, {SHA256: digest})
    with tempfile.TemporaryDirectory(prefix="duli-model-") as folder:
        saved.write(content, Path(folder) / "model", logged, run_id)
        client.log_model_artifacts(logged.model_id, f"{folder}/model")
    return client.finalize_logged_model(logged.model_id, "READY")
