"""What a release in MLflow has to show before it is promoted: its gates, its signature, its answers, and its predictions."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from duli import files
from duli.errors import DataError, GateError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from duli.tracking.releases import Entry
    from duli.tracking.store import Store

STATS = Path("data/prepared/stats.json")
TEST = Path("data/prepared/test.parquet")
PREDICTIONS = "reports/predictions.parquet"
REPORTS = ("evaluation", "business", "gates")


class Split(NamedTuple):
    """The test split that lies here."""

    images: "NDArray[np.uint8]"  # [n, channels, height, width]
    labels: "NDArray[np.int64]"  # [n]
    ids: list[str]
    digest: str


@dataclass(frozen=True)
class Evidence:
    """The files of a release as MLflow keeps them, every one with the digest that the release's identity is made of."""

    entry: "Entry"
    folder: Path
    manifest: dict[str, Any]
    reports: dict[str, Any]

    @property
    def test_digest(self) -> str:
        """Of the test split it was judged on."""
        return str(self.reports["evaluation"]["test_digest"])

    @property
    def wheel(self) -> bytes:
        """The wheel; raises `DataError` where it is not the one of the manifest."""
        facts = self.manifest["wheel"]
        content: bytes = (self.folder / "dist" / facts["file"]).read_bytes()
        if files.sha256(content) != facts["sha256"]:
            raise DataError(
                f"{facts['file']} of run {self.entry.run_id} is not the wheel of its manifest; run `dvc repro`, which packs anew"
            )
        return content


def fetch(store: "Store", entry: "Entry", folder: Path) -> Evidence:
    """Brings the evidence of a release into `folder`; raises `DataError` where MLflow does not hold all of it as it was logged."""
    from duli.tracking import releases

    folder.mkdir()
    releases.evidence(store, entry, ["dist", PREDICTIONS, *(f"reports/{name}.json" for name in REPORTS)], folder)
    return Evidence(
        entry,
        folder,
        files.read_json(folder / "dist/manifest.json"),
        {name: files.read_json(folder / f"reports/{name}.json") for name in REPORTS},
    )


def gates(evidence: Evidence) -> str:
    """Raises `GateError` unless every gate of the release passed."""
    from duli.gates import results, verdict

    found = results(evidence.reports["gates"])
    if verdict(found) != "release":
        refused = [f"{result.name}: {result.reason}" for result in found if not result.passed] or ["it was judged by no gate"]
        raise GateError(f"release {evidence.entry.release[:8]} is on hold: {'; '.join(refused)}")
    return f"all {len(found)} passed"


def answers(evidence: Evidence, split: Split) -> str:
    """Raises `GateError` unless the packed model answers every test example as predictions.parquet says it did."""
    import numpy as np

    from duli.packaging.answers import answers as ask

    if split.digest != evidence.test_digest:
        commit = f"`git checkout {evidence.entry.commit[:12]}`" if evidence.entry.commit else "its commit"
        raise DataError(
            f"{TEST} is not the test split that release {evidence.entry.release[:8]} was judged on ({split.digest[:12]} instead of "
            f"{evidence.test_digest[:12]}); bring that one back: {commit}, then `dvc checkout {TEST}`"
        )
    predicted, said = predictions(evidence, split)
    found, probabilities = ask(evidence.wheel, package(evidence), split.images)
    different = int((found != predicted).sum())
    if different:
        raise GateError(
            f"the packed model answers {different:,} of {len(found):,} test images otherwise than {PREDICTIONS} of its release says; "
            "run `dvc repro` on this machine, which judges and packs the same model, and promote that release"
        )
    return f"{len(found):,} test images answered as in {PREDICTIONS}, probabilities within {np.abs(said - probabilities).max():.1g}"


def rejudged(evidence: Evidence, split: Split) -> "NDArray[np.int64]":
    """What the packed model of the release answers to another test split than it was judged on, [n]."""
    from duli.packaging.answers import answers as ask

    return ask(evidence.wheel, package(evidence), split.images)[0]


def predictions(evidence: Evidence, split: Split) -> "tuple[NDArray[np.int64], NDArray[np.float32]]":
    """Classes [n] and probabilities [n, classes] of the file that shipped; raises `DataError` where they are of other examples."""
    import numpy as np

    from duli.preparation.parquet import opened

    with opened(evidence.folder / PREDICTIONS) as file:
        table: pa.Table = file.read(["id", "label", evidence.reports["evaluation"]["variant"]])
    if table["id"].to_pylist() != split.ids or table["label"].to_pylist() != split.labels.tolist():
        raise DataError(f"{PREDICTIONS} of release {evidence.entry.release[:8]} is of other examples than its test split; run `dvc repro`")
    column = table.column(2).combine_chunks()
    probabilities = np.asarray(column.flatten(), np.float32).reshape(len(column), -1)
    return probabilities.argmax(axis=1), probabilities


def test_split() -> Split:
    """The test split of this line, with the digest of what is really in it."""
    from duli.preparation.parquet import arrays, opened
    from duli.preparation.summary import digest

    stats = files.read_json(STATS)
    with opened(TEST) as file:
        rows = file.read(columns=["id", "label", "content"])
    images, labels = arrays(rows, (stats["channels"], stats["height"], stats["width"]))
    return Split(images, labels, rows["id"].to_pylist(), digest(rows))


def package(evidence: Evidence) -> str:
    """The name to import from the wheel."""
    return str(evidence.manifest["name"]).replace("-", "_")
