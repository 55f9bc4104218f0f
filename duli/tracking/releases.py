"""The releases of a line that stand in MLflow: listed with their headline, and their evidence
brought back, byte for byte.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli.base.errors import DataError
from duli.base.files import read_json, sha256
from duli.tracking.client.store import Store
from duli.tracking.logged.registry import MODEL, RELEASED, SHA256
from duli.tracking.logged.release import FILES, RELEASE, identity

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Entry:
    """A release in MLflow."""

    name: str  # of the registered model
    version: str  # of the release, for people
    model_version: int | None  # None if the registry has lost it
    release: str  # its identity
    run_id: str
    started: float  # UNIX time
    verdict: str
    metrics: Mapping[str, float]
    aliases: tuple[str, ...]
    commit: str | None  # of the code, where it is known


def listing(store: Store, name: str) -> list[Entry]:
    """All releases of the registered model `name` that were logged to their end, newest first;
    empty for an empty store.
    """
    client = store.client()
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return []
    known = [
        version
        for version in client.search_model_versions(f"name = '{name}'")
        if SHA256 in version.tags
    ]
    # of two with the same model the first is meant, as `registry.find` gives it
    known.sort(key=lambda version: -int(version.version))
    versions = {str(version.tags.get(MODEL)): int(version.version) for version in known}
    aliases = of_model(client, name)
    found, token = [], None
    while True:
        page = client.search_runs(
            [experiment.experiment_id],
            f"attributes.status = 'FINISHED' AND tags.`{RELEASE}` LIKE '%'",
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        found += [_entry(name, run, versions, aliases) for run in page]
        token = page.token
        if not token:
            return found


def of_model(client: "MlflowClient", name: str) -> dict[str, int]:
    """Alias -> model version; none where there is no such model."""
    known = client.search_registered_models(f"name = '{name}'")
    return {alias: int(version) for alias, version in known[0].aliases.items()} if known else {}


def evidence(store: Store, entry: Entry, wanted: Sequence[str], folder: Path) -> dict[str, Path]:
    """Downloads the artifacts `wanted` (files, and folders with all in them) into `folder`; gives
    path -> file.

    Each file has the digest that the release's identity is made of; only a file that is in a wanted
    folder and in no identity, as the signature is, comes unchecked. Raises `DataError` for any
    other byte, and where something is missing.
    """
    from mlflow.exceptions import MlflowException

    client = store.client()
    try:
        listed = read_json(client.download_artifacts(entry.run_id, FILES, str(folder)))
        for name in wanted:
            # MLflow puts a file there under its last name, and so a folder
            place = (folder / name).parent
            place.mkdir(parents=True, exist_ok=True)
            client.download_artifacts(entry.run_id, name, str(place))
    except (MlflowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"run {entry.run_id} in MLflow does not hold the evidence of this release ({reason}); "
            "log it anew: in a clone of its own at its commit, `dvc repro --pull` and `duli track`"
        ) from None
    if not isinstance(listed, dict) or identity(listed) != entry.release:
        raise DataError(
            f"the list of files of run {entry.run_id} in MLflow is not the one it was logged with;"
            " log the release anew"
        )
    unlisted = [
        name
        for name in wanted
        if name not in listed and not any(path.startswith(f"{name}/") for path in listed)
    ]
    if unlisted:
        raise DataError(
            f"the release of run {entry.run_id} does not consist of {unlisted[0]}; it was logged by"
            " another version, log it anew"
        )
    expected = {
        path: digest
        for path, digest in listed.items()
        if path in wanted or path.startswith(tuple(f"{name}/" for name in wanted))
    }
    changed = [
        path
        for path, digest in expected.items()
        if not (folder / path).is_file() or sha256(folder / path) != digest
    ]
    if changed:
        raise DataError(
            f"MLflow's copy of {changed[0]} is not the file that was released (run {entry.run_id});"
            " log the release anew"
        )
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def model_sha256(store: Store, entry: Entry) -> str:
    """SHA-256 of the model that the registered version of a release loads; raises `DataError` if
    MLflow does not hold it.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="duli-model-") as folder:
        try:
            source = store.client().get_model_version(entry.name, str(entry.model_version)).source
            return sha256(
                download_artifacts(
                    artifact_uri=f"{source}/model.onnx",
                    dst_path=folder,
                    tracking_uri=store.tracking_uri,
                )
            )
        except (MlflowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(
                f"MLflow does not hold the model of version {entry.model_version} ({reason});"
                " delete it in MLflow, then `duli track`"
            ) from None


def _entry(name: str, run: "Run", versions: Mapping[str, int], aliases: Mapping[str, int]) -> Entry:
    outputs: Any = run.outputs.model_outputs if run.outputs else []
    version = next(
        (versions[output.model_id] for output in outputs if output.model_id in versions), None
    )
    tags = run.data.tags
    return Entry(
        name,
        tags.get(RELEASED, ""),
        version,
        tags[RELEASE],
        str(run.info.run_id),
        run.info.start_time / 1000,
        tags.get("duli.verdict", ""),
        dict(run.data.metrics),
        tuple(alias for alias, of in aliases.items() if of == version),
        tags.get("mlflow.source.git.commit"),
    )
