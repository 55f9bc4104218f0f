"""The model registry: one version per content, found again by the SHA-256 of the ONNX file."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli.files import sha256

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

SHA256 = "duli.model_sha256"
MODEL = "duli.model_id"  # of the logged model: MLflow's database does not keep what `create_model_version` is told
RELEASED = "duli.version"  # of the release that was logged last with the model
ALIASES = "`challenger` was logged last. `champion` is in use and `previous` was before it: `duli promote` and `duli rollback` move them."
VERSIONS = "mlflow.modelVersions"  # MLflow's own: the page of a logged model links to its versions by it
CARD = "MODEL_CARD.md"  # in the model's folder
REQUIREMENTS = ("mlflow", "numpy", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Registered:
    """One version of a registered model."""

    version: int
    model_id: str  # of the logged model behind it
    created: bool  # or found


def register(
    client: "MlflowClient",
    name: str,
    model: Path,
    card: str,
    experiment_id: str,
    run_id: str,
    description: str,
    tags: Mapping[str, str],
) -> Registered:
    """The version of the model `name` that has the bytes of the file `model`; it is made if there is none, with its `card` beside it.

    `description` and `tags` say which release has it now: several do where only prices changed. Whoever calls holds the store's lock. A
    crash at any place leaves nothing that a second call does not use or remove.
    """
    digest = sha256(model)
    version = find(client, name, digest)
    if version is not None:
        _describe(client, version, description, tags)
        return Registered(int(version.version), str(version.tags.get(MODEL, "")), created=False)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=ALIASES)
    logged = _log(client, name, model, card, digest, experiment_id, run_id)
    version = client.create_model_version(
        # The place, not models:/<id>: that one MLflow would look up in the process's default store.
        name,
        logged.artifact_location,
        run_id,
        tags={**tags, SHA256: digest, MODEL: logged.model_id},
        description=description,
        model_id=logged.model_id,
    )
    client.set_logged_model_tags(logged.model_id, {VERSIONS: json.dumps([{"name": name, "version": version.version}])})
    return Registered(int(version.version), str(logged.model_id), created=True)


def find(client: "MlflowClient", name: str, digest: str) -> "ModelVersion | None":
    """The first version of the model `name` whose ONNX file has the SHA-256 `digest`."""
    versions = client.search_model_versions(f"name = '{name}' and tag.`{SHA256}` = '{digest}'")
    return min(versions, key=lambda version: int(version.version), default=None)


def _describe(client: "MlflowClient", version: "ModelVersion", description: str, tags: Mapping[str, str]) -> None:
    """Says of a version that is there which release has it now; what people wrote stays as long as that is the same release."""
    changed = {key: value for key, value in tags.items() if version.tags.get(key) != value}
    if changed:
        client.update_model_version(version.name, version.version, description)
    for key, value in changed.items():
        client.set_model_version_tag(version.name, version.version, key, value)


def _log(client: "MlflowClient", name: str, model: Path, card: str, digest: str, experiment_id: str, run_id: str) -> "LoggedModel":
    """A model in the experiment, complete: one that a crash left half-made is removed."""
    for found in client.search_logged_models([experiment_id], f"tags.`{SHA256}` = '{digest}'"):
        if str(found.status) == "READY":
            return found
        client.delete_logged_model(found.model_id)
    logged = client.create_logged_model(experiment_id, name, run_id, {SHA256: digest})
    with tempfile.TemporaryDirectory(prefix="duli-model-") as folder:
        _save(model, Path(folder) / "model", logged, run_id)
        # Of the release that brought the model; the description of the version is of the one that has it now.
        (Path(folder) / "model" / CARD).write_text(card, encoding="utf-8")
        client.log_model_artifacts(logged.model_id, f"{folder}/model")
    return client.finalize_logged_model(logged.model_id, "READY")


def _save(model: Path, folder: Path, logged: "LoggedModel", run_id: str) -> None:
    """Writes `model` in MLflow's format into `folder`, with its signature and an input to try."""
    import mlflow.onnx
    import onnx
    from mlflow.models import Model

    graph = onnx.load(str(model))
    signature, example = _signature(graph)
    mlflow.onnx.save_model(
        graph,
        str(folder),
        mlflow_model=Model(artifact_path=logged.artifact_location, model_uuid=logged.model_id, run_id=run_id, model_id=logged.model_id),
        signature=signature,
        input_example=example,
        # Named, or MLflow would load the model in a new process to find out.
        pip_requirements=[f"{package}=={metadata.version(package)}" for package in REQUIREMENTS],
        # What the release's own numbers were measured with.
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    # The bytes that were evaluated and packed, not the ones a newer onnx writes for the same graph.
    shutil.copyfile(model, folder / "model.onnx")


def _signature(graph: Any) -> "tuple[ModelSignature, dict[str, Any]]":
    """The signature that the graph itself declares, and one example of zeros."""
    import numpy as np
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def specs(values: Any) -> list[TensorSpec]:
        return [
            TensorSpec(
                np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
                tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in value.type.tensor_type.shape.dim),
                value.name,
            )
            for value in values
        ]

    inputs = specs(graph.graph.input)
    example = {spec.name: np.zeros([max(size, 1) for size in spec.shape], spec.type) for spec in inputs}
    return ModelSignature(Schema(inputs), Schema(specs(graph.graph.output))), example
