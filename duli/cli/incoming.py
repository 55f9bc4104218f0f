"""Reads incoming windows: cleans their examples as training data are cleaned, and judges whether
they have drifted.

A window is a file of `data/incoming/`: Parquet with at least a column `content`, `label` and `id`
where they are known, or what a served model has counted (`serve --statistics`). Windows follow each
other by name. What is refused is not looked at.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from duli.base import files, kinds, rooms
from duli.base.errors import DataError
from duli.base.params import Params
from duli.base.progress import progress
from duli.datasets.shared.dataset import dataset
from duli.preparation.cleaning import clean
from duli.retraining import drift, shift
from duli.retraining import network as networks
from duli.retraining.drift_params import Drift
from duli.retraining.network import Network

INCOMING = Path("data/incoming")
RAW = Path("data/raw")
PREPARED = Path("data/prepared")
EXPORTED = Path("models/variants/fp32.onnx")
REFERENCE = Path("reports/drift.safetensors")
FACTS = Path("reports/drift.json")
PAGE = Path("reports/drift.html")

# of duli/serving/kinds/image/statistics.py, which needs onnxruntime to be imported
FORMAT = "statistics of inputs, 1"
BATCH = 1024  # examples in memory at a time
READ = 2**20  # bytes of a file in memory at a time; without it, a column of a whole row group
# What a line is judged by, of all it made.
NEEDED = (
    RAW / "dataset.json",
    *(PREPARED / name for name in ("stats.json", "preprocessing.json", "validation.parquet")),
    EXPORTED,
)
Facts = dict[str, Any]
Groups = dict[str, NDArray[np.int64]]
Features = dict[str, NDArray[np.float64]]


class Answers(Protocol):
    """Labels and a network's answers as drift sees them (`duli/tasks/NAME/intake/answers.py`).

    Groups are indices [n] of `names`, -1 for none, and may be missing in a window; features are
    numbers [n].
    """

    names: list[str]

    def read(self, labels: pa.Array, path: Path) -> pa.Array: ...
    def labels(self, labels: NDArray[Any]) -> tuple[Groups, Features]: ...
    def outputs(self, outputs: NDArray[np.float32]) -> tuple[Groups, Features]: ...
    def counted(self, facts: Mapping[str, Any], path: Path) -> list[int]: ...  # by group


@dataclass(frozen=True)
class Line:
    """The reference that windows are judged by: the champion and its training data."""

    folder: Path  # that holds its files, in the places they have in a line
    exported: bytes  # the network as ONNX, in float32
    stats: Facts  # of the prepared data
    rules: clean.Rules
    answers: Answers
    seed: int
    drawn: int  # examples of a window, at most, that the network answers

    @property
    def validation(self) -> Facts:
        """The split that stands for the training data: its digest, and how many examples it has."""
        split: Facts = self.stats["splits"]["validation"]
        return split

    @property
    def seen(self) -> ModuleType:
        """The kind's drift features."""
        return rooms.kind(self.rules.kind.name, "intake.looks")

    def network(self) -> Network:
        """The champion's network."""
        return Network(self.exported)


@dataclass(frozen=True)
class Window:
    """A file of incoming examples, cleaned."""

    sample: drift.Sample
    refused: list[pa.RecordBatch]  # of `Rules.quarantined`

    @property
    def reasons(self) -> dict[str, int]:
        """The number of refused examples by reason."""
        from duli.preparation.cleaning.summary import reasons

        return reasons(self.refused)


def line(settings: Drift, folder: Path = Path()) -> Line:
    """The reference in the files of a line in `folder` (those of `NEEDED`); raises `DataError` if
    they are missing.
    """
    stats = files.read_json(folder / PREPARED / "stats.json")
    declared = dataset(stats["dataset"], files.read_json(folder / RAW / "dataset.json")["own"])
    kind = kinds.prepared(files.read_json(folder / PREPARED / "preprocessing.json"))
    task = Params("params.yaml").values["task"]
    targets = rooms.task(task, "targets.targets").Targets.prepared(stats)
    answers = rooms.task(task, "intake.answers").Answers(stats)
    rules = clean.Rules(targets, kind, 0.0, columns=getattr(declared, "COLUMNS", clean.NOTHING))
    try:
        exported = (folder / EXPORTED).read_bytes()
    except OSError as error:
        raise DataError(
            f"{folder / EXPORTED} cannot be read ({error.strerror}); run `dvc repro quantize`,"
            " which makes it"
        ) from None
    return Line(folder, exported, stats, rules, answers, settings.seed, settings.reference)


def judged(settings: Drift, newest: list[Path], folder: Path = Path()) -> list[drift.Verdict]:
    """The verdicts of the windows `newest` against the line in `folder`, oldest first; writes
    `reports/drift.json` and the page beside it.

    A window that was judged before, against the same reference, is not judged again. Raises
    `DataError` where a file cannot be read.
    """
    of = line(settings, folder)
    key = _key(of, settings)
    before = _before(key)
    found: list[Facts] = []
    network = known = None
    for path in newest:
        digest = files.sha256(path)
        facts = before.get(digest)
        if facts is None:
            served = statistics(path, of) if path.suffix == ".json" else None
            network = network or of.network()
            known = known or reference(of, network, settings, key)
            if served is not None:
                verdict, refused = drift.judge(drift.rounded(known, served.features), served), {}
            else:
                window = read(path, of, network)
                verdict, refused = drift.judge(known, window.sample), window.reasons
            facts = {"sha256": digest, "refused": refused, **verdict.facts()}
        found.append({**facts, "window": path.stem})
    verdicts = [
        drift.Verdict.of({name: facts[name] for name in drift.Verdict.__dataclass_fields__})
        for facts in found
    ]
    fired = drift.decide(verdicts, settings.needed)
    facts = {
        "key": key,
        "fired": fired,
        "needed": settings.needed,
        "false_alarms": settings.false_alarms,
        "classes": of.answers.names,
        "reference": of.validation["examples"],
        "windows": found,
    }
    if not before or files.read_json(FACTS) != json.loads(json.dumps(facts)):
        # The facts last: where they are, the page is theirs.
        files.write_text(PAGE, page(facts, of.stats["title"]))
        files.write_json(FACTS, facts)
    return verdicts


def reference(of: Line, network: Network, settings: Drift, key: str) -> drift.Reference:
    """The reference of this line, kept in `reports/drift.safetensors` until the model, its data or
    the settings are others.

    Made of the validation split: training data that the network was not fitted to.
    """
    if REFERENCE.is_file():
        kept = REFERENCE.read_bytes()
        if kept[: len(key)] == key.encode():
            return drift.from_bytes(kept[len(key) :])
    from duli.preparation.prepared.parquet import opened

    with opened(of.folder / PREPARED / "validation.parquet") as file:
        rows = file.read()
    chosen = np.random.default_rng(settings.seed).permutation(len(rows))[: settings.reference]
    parts = rows.take(pa.array(np.sort(chosen))).to_batches(max_chunksize=BATCH)
    gathered = _Gathered(of, network, len(chosen), len(chosen))
    for rows in parts:
        gathered.add(rows, rows["label"].to_numpy())
    made = drift.reference(gathered.sample(), of.answers.names, settings)
    files.write_bytes(REFERENCE, key.encode() + drift.to_bytes(made))
    return made


def read(path: Path, of: Line, network: Network, embedded: int = drift.EMBEDDED) -> Window:
    """A window, cleaned as training data are, with embeddings of at most `embedded` examples.

    Examples without a label are looked at, and are no training data: they are cleaned by
    themselves, so that they contradict nobody. Raises `DataError` if the file, a column or its
    type is not what it has to be.
    """
    refused: list[pa.RecordBatch] = []
    verdicts = {
        labelled: clean.judge(_batches(path, of, labelled=labelled), of.rules)
        for labelled in (True, False)
    }
    kept = {labelled: int(clean.kept(verdict).sum()) for labelled, verdict in verdicts.items()}
    gathered = _Gathered(of, network, sum(kept.values()), embedded)
    for labelled, verdict in verdicts.items():
        if not len(verdict):
            continue
        rows = progress(
            _batches(path, of, labelled=labelled), f"reading {path.name}", unit="batches"
        )
        for target, batch in clean.sort_out(rows, verdict, of.rules):
            if target == "quarantine":
                refused.append(batch)
            else:
                missing = np.full(batch.num_rows, of.rules.targets.missing)
                gathered.add(batch, batch["label"].to_numpy() if labelled else missing)
    return Window(gathered.sample(), refused)


def statistics(path: Path, of: Line) -> drift.Sample:
    """The counts of a server (`serve --statistics`); raises `DataError` if the file is something
    else, or belongs to another data set.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        features = facts["features"]
        counted = isinstance(facts["predictions"], list) and set(features) == of.seen.COUNTED
        known = facts["format"] == FORMAT and features and counted
    except (LookupError, TypeError, ValueError):
        known = False
    if not known:
        raise DataError(
            f"{path} holds no statistics of a server; `serve --statistics FILE` writes them, or"
            " take it away"
        )
    named = {of.seen.NAMES.get(name, name): counts for name, counts in features.items()}
    return drift.counted(named, of.answers.counted(facts, path), of.seed)


class _Gathered:
    """The drift statistics of examples that arrive batch by batch; the network answers a random
    sample of them.
    """

    def __init__(self, of: Line, network: Network, examples: int, embedded: int) -> None:
        self.of, self.network = of, network
        order = np.random.default_rng(of.seed).permutation(examples)
        self.asked = np.zeros(examples, bool)
        self.asked[order[: of.drawn]] = True
        self.embedded = np.zeros(examples, bool)
        self.embedded[order[: min(of.drawn, embedded)]] = True
        self.done = 0
        self.features: dict[str, list[NDArray[np.float64]]] = {}
        self.groups: dict[str, list[NDArray[np.int64]]] = {}
        self.embeddings: list[NDArray[np.float32]] = []

    def add(self, rows: pa.RecordBatch, labels: NDArray[Any]) -> None:
        """Takes in finished rows (schema `Rules.example`)."""
        inputs = self.of.rules.kind.arrays(pa.chunked_array([rows["content"]]))
        part = slice(self.done, self.done + len(inputs))
        self.done += len(inputs)
        seen = self.of.seen
        for field in rows.schema:
            if field.name not in {*clean.EXAMPLE.names, *seen.SAME} and (
                pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
            ):
                values = rows[field.name].cast(pa.float64()).to_numpy(zero_copy_only=False)
                self._keep({}, {seen.NAMES.get(field.name, field.name): values})
        self._keep({}, seen.seen(inputs))
        self._keep(*self.of.answers.labels(labels))
        asked = self.asked[part]
        if asked.any():
            self._ask(inputs[asked], self.embedded[part][asked])

    def _ask(self, inputs: NDArray[Any], embedded: NDArray[np.bool_]) -> None:
        outputs, embeddings = self.network.answers(inputs)
        self._keep(*self.of.answers.outputs(outputs))
        self.embeddings.append(embeddings[embedded])

    def _keep(self, groups: Groups, features: Features) -> None:
        for name, indices in groups.items():
            self.groups.setdefault(name, []).append(indices)
        for name, values in features.items():
            self.features.setdefault(name, []).append(values)

    def sample(self) -> drift.Sample:
        """The sample of everything that was gathered."""
        if not self.done:
            return drift.Sample({}, {}, None)
        return drift.Sample(
            {name: np.concatenate(parts) for name, parts in self.features.items()},
            {name: np.concatenate(parts) for name, parts in self.groups.items()},
            np.concatenate(self.embeddings),
        )


def _batches(path: Path, of: Line, *, labelled: bool) -> Iterator[pa.RecordBatch]:
    """The examples with a label, or those without (labelled 0), as `clean` takes them."""
    seen = 0
    try:
        with pq.ParquetFile(path, buffer_size=READ) as file:
            if "content" not in file.schema_arrow.names:
                raise DataError(
                    f"{path} has no column 'content'; it holds the bytes of each example, as in"
                    f" {PREPARED}/train.parquet"
                )
            for batch in file.iter_batches(batch_size=BATCH):
                ready = _ready(batch, path, of, seen, labelled=labelled)
                seen += batch.num_rows
                if ready.num_rows:
                    yield ready
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); write it again as Parquet, or"
            " take it away"
        ) from None


def _ready(
    batch: pa.RecordBatch, path: Path, of: Line, start: int, *, labelled: bool
) -> pa.RecordBatch:
    names, rules = batch.schema.names, of.rules
    none = pa.nulls(batch.num_rows, rules.targets.type)
    labels = of.answers.read(batch["label"], path) if "label" in names else none
    given = (
        batch["id"].cast(pa.string()) if "id" in names else pa.nulls(batch.num_rows, pa.string())
    )
    name = path.stem
    ids = pc.coalesce(
        given, pa.array([f"{name}:{start + row}" for row in range(batch.num_rows)], pa.string())
    )
    try:
        contents = batch["content"].cast(pa.binary())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"{path}: the column 'content' is {batch.schema.field('content').type}; it has to be"
            " binary"
        ) from None
    columns = {
        "id": ids,
        # Published splits are never cut up, so the examples stay in order.
        "split": pa.array(["test"] * batch.num_rows, pa.string()),
        "label": labels if labelled else pa.array([0] * batch.num_rows, rules.targets.type),
        "content": contents,
        **{name: batch[name] for name in rules.columns.names if name in names},
        **rules.gaps(names, batch.num_rows),
    }
    there = labels.is_valid()
    return pa.RecordBatch.from_pydict(columns).filter(there if labelled else pc.invert(there))


def _key(of: Line, settings: Drift) -> str:
    """The digest of all that a verdict depends on besides the window; how many windows decide is
    not among it.
    """
    knobs = settings.model_dump(exclude={"windows", "needed"})
    modules = (drift, networks, shift, sys.modules[type(of.answers).__module__])
    # What is seen of an example may lie in another room of its kind.
    kind = sorted(Path(of.seen.__file__ or "").parents[1].rglob("*.py"))
    code = [files.sha256(Path(module.__file__ or "")) for module in modules]
    code += [files.sha256(path) for path in kind]
    return files.sha256(
        json.dumps(
            [files.sha256(of.exported), of.validation["digest"], knobs, code], sort_keys=True
        ).encode()
    )


def _before(key: str) -> dict[str, Facts]:
    """Windows that were judged against the same reference, by digest."""
    if not (FACTS.is_file() and PAGE.is_file()):
        return {}
    facts = files.read_json(FACTS, f"`rm {FACTS}`: the windows are judged anew")
    return {window["sha256"]: window for window in facts["windows"]} if facts["key"] == key else {}


def page(facts: Facts, title: str) -> str:
    """Renders reports/drift.html from the numbers of drift.json."""
    from duli.reporting.drift import charts
    from duli.reporting.shared.pages import render

    shown = [window for window in facts["windows"] if window["moved"]]
    drawn: Facts = {"features": {}, "classes": {}}
    if shown:
        for name in shown[-1]["moved"]["features"]:
            drawn["features"][name] = charts.feature(
                name, [(window["window"], window["moved"]["features"][name]) for window in shown]
            )
        for name in shown[-1]["moved"]["classes"]:
            of = [
                (window["window"], window["moved"]["classes"][name])
                for window in shown
                if name in window["moved"]["classes"]
            ]
            drawn["classes"][name] = charts.classes(name, facts["classes"], of)
    return render("reporting/drift/drift.html.j2", facts=facts, charts=drawn, title=title)
