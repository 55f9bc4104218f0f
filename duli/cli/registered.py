"""The releases of a line as MLflow holds them, and which of them champion.json says is in use."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from duli.base import files, rooms
from duli.base.errors import DataError, DuliError
from duli.base.tasks import Score

if TYPE_CHECKING:
    from duli.tracking.champion import Champions, Record
    from duli.tracking.client.store import Store
    from duli.tracking.releases import Entry

CHAMPION = Path("champion.json")
MANIFEST = Path("dist/manifest.json")


class Registered:
    """The releases of the line in a folder, as MLflow and champion.json know them; the folder is
    usually this one.
    """

    def __init__(self, folder: Path = Path()) -> None:
        from duli.base.params import Params
        from duli.packaging.params import Release
        from duli.tracking import promotion
        from duli.tracking.champion import load
        from duli.tracking.client import store

        params = Params(folder / "params.yaml")
        self.name = params.section("release", Release).name
        self.score: Score = rooms.task(params.values["task"], "task").SCORE
        self.store: Store = store.locate(os.environ, folder)
        self.listed: list[Entry] = []
        with self.store.answering():
            self.champions = promotion.follow(
                self.store, self.name, self._list, lambda: load(folder / CHAMPION)
            )

    @property
    def versions(self) -> dict[str, int]:
        """Release -> model version, of those that the registry still has."""
        return {
            entry.release: entry.model_version
            for entry in self.listed
            if entry.model_version is not None
        }

    def _list(self) -> dict[str, int]:
        from duli.tracking import releases

        self.listed = releases.listing(self.store, self.name)
        return self.versions

    def wanted(self, version: int | None) -> "Entry":
        """The newest release with this model version; without one, the release that the files here
        make up.
        """
        if version is None:
            from stages.track import gather

            here = gather(Path(), os.environ).digest
            found = [entry for entry in self.listed if entry.release == here]
            missing = (
                f"the release that lies here ({here[:8]}) is not in MLflow at"
                f" {self.store.tracking_uri}; log it with `duli track`"
            )
        else:
            found = [entry for entry in self.listed if entry.model_version == version]
            missing = (
                f"MLflow has no release with version {version} of {self.name}; `duli releases`"
                " lists those there are"
            )
        if not found:
            raise DataError(missing)
        if found[0].model_version is None:
            raise DataError(
                f"the registry has lost the version of run {found[0].run_id[:8]}; `duli track`"
                " registers it again"
            )
        return found[0]

    def of_record(self, record: "Record") -> "Entry":
        """The entry of a promoted release in this MLflow."""
        found = [
            entry
            for entry in self.listed
            if entry.release == record.release and entry.model_version is not None
        ]
        if not found:
            raise DataError(
                f"{CHAMPION} names {record.label}, which MLflow at {self.store.tracking_uri} does"
                " not hold; point MLFLOW_TRACKING_URI to the server it was promoted on, or log it"
                " here: in a clone of its own at its commit, `dvc repro --pull` and `duli track`"
            )
        return found[0]


def remember_champion() -> None:
    """Logs the current release before another takes its place, if it is the champion and this
    MLflow does not hold it yet.

    So a machine that starts with nothing but git and a DVC remote can compare with it.
    """
    champion = champions().champion
    if (
        champion is None
        or not MANIFEST.exists()
        or files.read_json(MANIFEST)["wheel"]["sha256"] != champion.wheel_sha256
    ):
        return
    if champion.release not in {entry.release for entry in Registered().listed}:
        from stages import track

        # files of several runs: whoever asks for the champion is told what it lacks
        with contextlib.suppress(DuliError):
            track.record(Path(), os.environ)


def champions() -> "Champions":
    """The content of champion.json; raises `DataError` if it is missing, damaged or has another
    form.
    """
    from duli.tracking.champion import load

    return load(CHAMPION)
