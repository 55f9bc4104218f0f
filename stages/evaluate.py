"""Evaluates the shipped variant on the test split: measures, slices and robustness with their
intervals, and a page.
"""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from duli.base import files, kinds, rooms
from duli.base.kinds import Kind
from duli.base.params import Params
from duli.base.tasks import Targets
from duli.evaluation.judged import Model, Split
from duli.models.shared.inputs import Whole
from duli.models.shared.restore import restore
from duli.preparation.prepared.parquet import arrays, opened

MODELS = Path("models")
PREPARED = Path("data/prepared")
TABLES = Path("reports/evaluation")
EXPORTED = "fp32"  # the unmodified export of the trained network

Facts = dict[str, Any]


def main() -> None:
    params = Params("params.yaml")
    task = rooms.task(params.values["task"], "judging.judge")
    settings = params.section("evaluate", task.SETTINGS)
    stats = files.read_json(PREPARED / "stats.json")
    kind = kinds.prepared(files.read_json(PREPARED / "preprocessing.json"))
    targets = rooms.task(params.values["task"], "targets.targets").Targets.prepared(stats)
    variants = files.read_json("reports/quantization.json")["variants"]
    model = _model(variants, files.read_json("reports/choice.json")["variant"])
    judgement = task.judged(
        model,
        _Splits(kind, targets),
        rooms.kind(kind.name, "judging.judge"),
        stats,
        variants[model.shipped],
        settings,
    )
    for name, rows in judgement.tables.items():
        head = judgement.heads.get(name) or tuple(rows[0])
        files.write_text(TABLES / f"{name}.csv", _csv(rows, head))
    with files.atomic("reports/predictions.parquet") as file:
        pq.write_table(judgement.predictions, file)
    files.write_json("reports/evaluation.json", judgement.facts)
    files.write_text("reports/evaluation.html", judgement.page)
    task.tell(judgement.facts)
    print("the page is reports/evaluation.html")


class _Splits:
    """Reads the prepared splits."""

    def __init__(self, kind: Kind, targets: Targets) -> None:
        self._kind, self._targets = kind, targets

    def split(self, name: str, rows: NDArray[np.int64] | None = None) -> Split:
        """A split, or some rows of it."""
        with opened(PREPARED / f"{name}.parquet") as file:
            table = file.read()
        if rows is not None:
            table = table.take(pa.array(rows))
        return Split(table, *arrays(table, self._kind, self._targets), self._kind)

    def targets(self, name: str) -> NDArray[Any]:
        """The targets of a split."""
        with opened(PREPARED / f"{name}.parquet") as file:
            return self._targets.array(file.read(columns=["label"])["label"])


def _model(variants: Facts, shipped: str) -> Model:
    description = files.read_json(MODELS / "model.json")
    weights = files.verified(
        MODELS / description["weights"]["file"], description["weights"]["sha256"]
    )
    network = restore(description, weights)
    inputs = rooms.kind(description["kind"], "learning.inputs")
    whole = Whole(inputs.Preprocessing(**description["normalisation"]), network)
    onnx = {
        name: files.verified(MODELS / variants[name]["file"], variants[name]["sha256"])
        for name in dict.fromkeys((EXPORTED, shipped))
    }
    return Model(description, network, whole, onnx, shipped)


def _csv(rows: list[Facts], head: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=head, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
