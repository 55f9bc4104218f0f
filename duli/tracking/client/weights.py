"""The weights of a registered model version, for training to start from."""

import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from duli.base.errors import DataError
from duli.base.files import read_json
from duli.tracking.client.store import Store

ARTIFACT = "weights"  # folder of the release run behind a version: model.safetensors and model.json
REFERENCE = re.compile(r"^models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))$")


class Weights(NamedTuple):
    """The weights that a training can start from."""

    content: bytes  # safetensors
    description: dict[str, Any]  # model.json


def of_version(store: Store, reference: str) -> Weights:
    """The weights of `models:/NAME/VERSION` or `models:/NAME@ALIAS`.

    Raises `DataError` for another form of reference, and where the registry has no such version or
    its run no weights; `DuliError` where MLflow does not answer.
    """
    parts = REFERENCE.match(reference)
    if parts is None:
        raise DataError(
            f"train.transfer.init_from = '{reference}' is none of models:/NAME/VERSION and"
            " models:/NAME@ALIAS"
        )
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    client = store.client()
    name, alias = parts["name"], parts["alias"]
    with store.answering():
        try:
            version = (
                client.get_model_version_by_alias(name, alias)
                if alias
                else client.get_model_version(name, parts["version"])
            )
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise DataError(
                f"MLflow at {store.tracking_uri} has no {reference}; `make ui` shows the models"
                " there are"
            ) from None
    with tempfile.TemporaryDirectory(prefix="duli-weights-") as folder:
        try:
            path = download_artifacts(
                run_id=version.run_id,
                artifact_path=ARTIFACT,
                dst_path=folder,
                tracking_uri=store.tracking_uri,
            )
            return Weights(
                (Path(path) / "model.safetensors").read_bytes(),
                read_json(Path(path) / "model.json"),
            )
        except (MlflowException, OSError, LookupError, DataError):
            raise DataError(
                f"the run of {reference} holds no {ARTIFACT}/model.safetensors and model.json, as"
                " runs of older versions do not; name another version, or a safetensors file"
            ) from None
