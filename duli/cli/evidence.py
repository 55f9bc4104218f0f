"""What a release in MLflow has to show before it is promoted: its gates, its signature, its
answers, and its predictions.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from duli.base import files
from duli.base.errors import DataError, GateError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from duli.gates.gates import Gate
    from duli.packaging.answers import Answered
    from duli.tracking.client.store import Store
    from duli.tracking.releases import Entry

STATS = Path("data/prepared/stats.json")
TEST = Path("data/prepared/test.parquet")
PREDICTIONS = "reports/predictions.parquet"
REPORTS = ("validation", "train", "quantization", "evaluation", "benchmark", "business", "gates")
# of a probability, between the machine that judged and this one; the same machine gives 2e-7
TOLERANCE = 1e-4
ROUNDING = 1e-2  # of a probability; what is further apart is no rounding


class Split(NamedTuple):
    """The test split that lies here."""

    kind: str  # of data
    examples: bytes  # as a file that the wheel's command takes
    labels: "NDArray[np.int64]"  # [n]
    ids: list[str]
    classes: list[str]
    digest: str


@dataclass(frozen=True)
class Evidence:
    """The files of a release as MLflow keeps them, every one with the digest that the release's
    identity is made of.
    """

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
                f"{facts['file']} of run {self.entry.run_id} is not the wheel of its manifest; run"
                " `dvc repro`, which packs anew"
            )
        return content


def fetch(store: "Store", entry: "Entry", folder: Path) -> Evidence:
    """Brings the evidence of a release into `folder`; raises `DataError` where MLflow does not hold
    all of it as it was logged.
    """
    from duli.tracking import releases

    folder.mkdir()
    releases.evidence(
        store, entry, ["dist", PREDICTIONS, *(f"reports/{name}.json" for name in REPORTS)], folder
    )
    return Evidence(
        entry,
        folder,
        files.read_json(folder / "dist/manifest.json"),
        {name: files.read_json(folder / f"reports/{name}.json") for name in REPORTS},
    )


def gates(evidence: Evidence, required: "Mapping[str, Gate] | None") -> str:
    """Raises `GateError` unless every gate passed when the release was made, and each of `required`
    passes on its numbers now.
    """
    from duli.gates.gates import judge, measures, results, verdict

    found = results(evidence.reports["gates"])
    reports = {name: report for name, report in evidence.reports.items() if name != "gates"}
    now = (
        judge(required, measures({**reports, "manifest": evidence.manifest}))
        if required is not None
        else []
    )
    if verdict(found) != "release" or not all(result.passed for result in now):
        refused = {
            result.name: result.reason for result in (*found, *now) if not result.passed
        } or {"gates": "it was judged by none"}
        said = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise GateError(f"release {evidence.entry.release[:8]} is on hold: {said}")
    return f"{len(found)} of {len(found)} passed"


def model(store: "Store", evidence: Evidence) -> str:
    """Raises `GateError` unless the registered version, which others load, is the model that was
    packed.
    """
    from duli.tracking import releases

    if releases.model_sha256(store, evidence.entry) != evidence.manifest["model"]["sha256"]:
        raise GateError(
            f"the registered version {evidence.entry.model_version} is not the model of this"
            " release; delete the version in MLflow, then `duli track` registers it again"
        )
    return (
        f"version {evidence.entry.model_version} is the packed"
        f" {evidence.manifest['model']['variant']} file"
    )


def answers(evidence: Evidence, split: Split) -> str:
    """Raises `GateError` unless the packed model answers every test example as predictions.parquet
    says it did.
    """
    import numpy as np

    from duli.packaging.answers import answers as ask
    from duli.packaging.kinds import KINDS

    if split.digest != evidence.test_digest:
        raise DataError(
            f"{TEST} is not the test split that release {evidence.entry.release[:8]} was judged on"
            f" ({split.digest[:12]} instead of {evidence.test_digest[:12]}); give the sections data"
            " and prepare of params.yaml the values of its run in MLflow"
            f" ({evidence.entry.run_id[:8]}) and run `dvc repro prepare`, which brings that split"
            " back"
        )
    predicted, said = predictions(evidence, split)
    things = KINDS[split.kind].things
    found = ask(evidence.wheel, package(evidence), KINDS[split.kind], split.examples)
    different, most = (
        int((found.answers != predicted).sum()),
        float(np.abs(said - found.probabilities).max()),
    )
    if different or not most <= TOLERANCE:
        raise GateError(
            f"the packed model answers {different:,} of {len(predicted):,} test {things} otherwise"
            f" than {PREDICTIONS} of its release says, with probabilities {most:.1g} apart:"
            f" {_cause(evidence, split, found, most)}"
        )
    return (
        f"{len(predicted):,} test {things} answered as in {PREDICTIONS}, probabilities within"
        f" {most:.1g}"
    )


def _cause(evidence: Evidence, split: Split, found: "Answered", most: float) -> str:
    """Why the packed model answers otherwise here, with probabilities up to `most` apart, and what
    to do.

    `found` are its answers. Sums of its products may overflow here or on the CPU that judged it;
    else it is rounding, unless it is more.
    """
    import numpy as np

    from duli.base import machine
    from duli.compression import saturation
    from duli.packaging.answers import answers as ask
    from duli.packaging.kinds import KINDS

    here = machine.cpu()
    # the former is newer
    there = (
        evidence.reports["evaluation"].get("judged_on") or evidence.reports["benchmark"]["hardware"]
    )
    cpus = ", ".join(
        f"{verb} {one['cpu']} ({' '.join(one['flags'])})"
        for verb, one in (("judged on", there), ("asked on", here))
    )
    pairs = saturation.pairs(_packed_model(evidence))
    if pairs:
        exact = ask(
            evidence.wheel, package(evidence), KINDS[split.kind], split.examples, exact=True
        )
        overflows = float(np.abs(exact.probabilities - found.probabilities).max()) > TOLERANCE
        if overflows != machine.adds_in_16_bits(there["flags"]):
            return (
                f"saturation: {pairs:,} pairs of its weights pass 16 bits, in which x86 CPUs"
                f" without VNNI add ({cpus}); run `dvc repro`, whose int8 files have weights of 7"
                " bits, and promote the release it makes"
            )
    kind = "rounding" if most <= ROUNDING else "more than rounding, though no saturation"
    return (
        f"{kind} ({cpus}); judge the model here: `dvc repro --force --single-item evaluate`, then"
        " `dvc repro`, and promote the release that makes"
    )


def _packed_model(evidence: Evidence) -> bytes:
    with zipfile.ZipFile(io.BytesIO(evidence.wheel)) as archive:
        return archive.read(f"{package(evidence)}/model.onnx")


def rejudged(evidence: Evidence, split: Split) -> "NDArray[np.int64]":
    """What the packed model of the release answers to another test split than it was judged on,
    [n].

    Raises `GateError` where it knows other classes than that split has.
    """
    from duli.packaging.answers import answers as ask
    from duli.packaging.kinds import KINDS

    found = ask(evidence.wheel, package(evidence), KINDS[split.kind], split.examples)
    if found.classes != split.classes:
        raise GateError(
            f"release {evidence.entry.release[:8]} has the classes {', '.join(found.classes)}, this"
            f" test split {', '.join(split.classes)}: "
            f'there is nothing to compare; write {{"champion": null}} into champion.json to begin'
            f" anew"
        )
    return found.answers


def predictions(
    evidence: Evidence, split: Split
) -> "tuple[NDArray[np.int64], NDArray[np.float32]]":
    """Classes [n] and probabilities [n, classes] of the file that shipped; raises `DataError` where
    they are of other examples.
    """
    import numpy as np

    from duli.preparation.prepared.parquet import opened

    with opened(evidence.folder / PREDICTIONS) as file:
        table: pa.Table = file.read(["id", "label", evidence.reports["evaluation"]["variant"]])
    if table["id"].to_pylist() != split.ids or table["label"].to_pylist() != split.labels.tolist():
        raise DataError(
            f"{PREDICTIONS} of release {evidence.entry.release[:8]} is of other examples than its"
            " test split; run `dvc repro`"
        )
    column = table.column(2).combine_chunks()
    probabilities = np.asarray(column.flatten(), np.float32).reshape(len(column), -1)
    return probabilities.argmax(axis=1), probabilities


def test_split() -> Split:
    """The test split of this line, with the digest of what is really in it."""
    import numpy as np

    from duli.packaging.kinds import KINDS
    from duli.preparation.cleaning.summary import digest
    from duli.preparation.prepared.parquet import opened

    stats = files.read_json(STATS)
    if not TEST.exists():
        raise DataError(
            f"{TEST} is missing; `dvc checkout {TEST}` brings it back, else `dvc repro prepare`"
            " makes it"
        )
    with opened(TEST) as file:
        rows = file.read(columns=["id", "label", "content"])
    examples = KINDS[stats["kind"]].written(rows["content"].to_pylist(), stats)
    labels = np.array(rows["label"].to_pylist(), np.int64)
    return Split(
        stats["kind"], examples, labels, rows["id"].to_pylist(), stats["classes"], digest(rows)
    )


def package(evidence: Evidence) -> str:
    """The name to import from the wheel."""
    return str(evidence.manifest["name"]).replace("-", "_")
