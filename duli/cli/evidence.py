"""The evidence that a release in MLflow needs for its promotion: gates, signature, answers and
predictions.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from duli.base import files, rooms
from duli.base.errors import DataError, GateError
from duli.base.params import Params

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from duli.gates.gates import Gate
    from duli.packaging.answers import Examples, Read
    from duli.tracking.client.store import Store
    from duli.tracking.releases import Entry

STATS = Path("data/prepared/stats.json")
TEST = Path("data/prepared/test.parquet")
PREDICTIONS = "reports/predictions.parquet"
REPORTS = ("validation", "train", "quantization", "evaluation", "benchmark", "business", "gates")
# of an output, between the machine that judged and this one; the same machine gives 2e-7
TOLERANCE = 1e-4
ROUNDING = 1e-2  # of an output; what is further apart is no rounding


class Split(NamedTuple):
    """The test split of this line."""

    things: str  # what its examples are called
    examples: "Examples"
    read: "Read"  # what a wheel answers
    task: ModuleType  # the module `promoting.compared` of the task
    rows: "pa.Table"  # id and label of each example
    targets: "NDArray[Any]"  # [n], as the task has them
    names: list[str]  # of what is answered
    digest: str


@dataclass(frozen=True)
class Evidence:
    """The files of a release as MLflow keeps them, each with the digest that the release's identity
    is made of.
    """

    entry: "Entry"
    folder: Path
    manifest: dict[str, Any]
    reports: dict[str, Any]

    @property
    def test_digest(self) -> str:
        """The digest of the test split that the release was judged on."""
        return str(self.reports["evaluation"]["test_digest"])

    @property
    def wheel(self) -> bytes:
        """The wheel; raises `DataError` if it differs from the manifest."""
        facts = self.manifest["wheel"]
        content: bytes = (self.folder / "dist" / facts["file"]).read_bytes()
        if files.sha256(content) != facts["sha256"]:
            raise DataError(
                f"{facts['file']} of run {self.entry.run_id} is not the wheel of its manifest; run"
                " `dvc repro`, which packs anew"
            )
        return content


def fetch(store: "Store", entry: "Entry", folder: Path) -> Evidence:
    """Brings the evidence of a release into `folder`; raises `DataError` if MLflow does not hold
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

    if split.digest != evidence.test_digest:
        raise DataError(
            f"{TEST} is not the test split that release {evidence.entry.release[:8]} was judged on"
            f" ({split.digest[:12]} instead of {evidence.test_digest[:12]}); give the sections data"
            " and prepare of params.yaml the values of its run in MLflow"
            f" ({evidence.entry.run_id[:8]}) and run `dvc repro prepare`, which brings that split"
            " back"
        )
    kept, things = predictions(evidence, split), split.things
    outputs = ask(evidence.wheel, package(evidence), split.examples, split.read).outputs
    different = split.task.disagreements(outputs, kept)
    apart = float((np.abs(outputs - kept) / np.maximum(1, np.abs(kept))).max())
    if different or not apart <= TOLERANCE:
        raise GateError(
            f"the packed model answers {different:,} of {len(kept):,} test {things} otherwise"
            f" than {PREDICTIONS} of its release says, with outputs {apart:.1g} apart:"
            f" {_cause(evidence, split, outputs, apart)}"
        )
    return f"{len(kept):,} test {things} answered as in {PREDICTIONS}, outputs within {apart:.1g}"


def _cause(evidence: Evidence, split: Split, outputs: "NDArray[np.float32]", apart: float) -> str:
    """The reason why the packed model's outputs here differ by up to `apart` from those it was
    judged by, and the fix.

    Sums of its products may overflow here or on the CPU that judged it; else it is rounding, unless
    it is more.
    """
    import numpy as np

    from duli.base import machine
    from duli.compression import saturation
    from duli.packaging.answers import answers as ask

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
        exact = ask(evidence.wheel, package(evidence), split.examples, split.read, exact=True)
        overflows = float(np.abs(exact.outputs - outputs).max()) > TOLERANCE
        if overflows != machine.adds_in_16_bits(there["flags"]):
            return (
                f"saturation: {pairs:,} pairs of its weights pass 16 bits, in which x86 CPUs"
                f" without VNNI add ({cpus}); run `dvc repro`, whose int8 files have weights of 7"
                " bits, and promote the release it makes"
            )
    kind = "rounding" if apart <= ROUNDING else "more than rounding, though no saturation"
    return (
        f"{kind} ({cpus}); judge the model here: `dvc repro --force --single-item evaluate`, then"
        " `dvc repro`, and promote the release that makes"
    )


def _packed_model(evidence: Evidence) -> bytes:
    with zipfile.ZipFile(io.BytesIO(evidence.wheel)) as archive:
        return archive.read(f"{package(evidence)}/model.onnx")


def rejudged(evidence: Evidence, split: Split) -> "NDArray[np.float32]":
    """Outputs [n, width] of the release's packed model for another test split than it was judged
    on.

    Raises `GateError` if it answers with other names than that split has.
    """
    from duli.packaging.answers import answers as ask

    found = ask(evidence.wheel, package(evidence), split.examples, split.read)
    if found.names != split.names:
        raise GateError(
            f"release {evidence.entry.release[:8]} answers {', '.join(found.names)}, this test"
            f" split has {', '.join(split.names)}: there is nothing to compare; write"
            ' {"champion": null} into champion.json to begin anew'
        )
    return found.outputs


def predictions(evidence: Evidence, split: Split) -> "NDArray[np.float32]":
    """Outputs [n, width] of the file that shipped; raises `DataError` if they are of other
    examples.
    """
    import numpy as np

    from duli.preparation.prepared.parquet import opened

    with opened(evidence.folder / PREDICTIONS) as file:
        table: pa.Table = file.read(["id", "label", evidence.reports["evaluation"]["variant"]])
    # By value: a file of another version may have other types.
    if table.select(["id", "label"]).to_pydict() != split.rows.to_pydict():
        raise DataError(
            f"{PREDICTIONS} of release {evidence.entry.release[:8]} is of other examples than its"
            " test split; run `dvc repro`"
        )
    column = table.column(2).combine_chunks()
    return np.asarray(column.flatten(), np.float32).reshape(len(column), -1)


def test_split() -> Split:
    """The test split of this line, with the digest of its actual content."""
    from duli.packaging.answers import Examples
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
    kind = rooms.kind(stats["kind"], "releasing.release").Kind(stats)
    task = Params("params.yaml").values["task"]
    return Split(
        kind.words.things,
        Examples(kind.written(rows["content"].to_pylist()), kind.suffix),
        rooms.task(task, "releasing.release").answered,
        rooms.task(task, "promoting.compared"),
        rows.select(["id", "label"]),
        rooms.task(task, "targets.targets").Targets.prepared(stats).array(rows["label"]),
        rooms.task(task, "intake.answers").Answers(stats).names,
        digest(rows),
    )


def package(evidence: Evidence) -> str:
    """The name to import from the wheel."""
    return str(evidence.manifest["name"]).replace("-", "_")
