"""Judges the trained model on the test split: accuracy with its interval, per class, confusion, coverage."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from duli import files
from duli.evaluation import metrics
from duli.evaluation.params import Evaluate
from duli.evaluation.predict import torch_logits
from duli.models._restore import restore
from duli.params import Params
from duli.preparation.parquet import arrays, opened

MODELS = Path("models")
PREPARED = Path("data/prepared")


def main() -> None:
    settings = Params("params.yaml").section("evaluate", Evaluate)
    description = files.read_json(MODELS / "model.json")
    weights = files.verified(MODELS / description["weights"]["file"], description["weights"]["sha256"])
    stats = files.read_json(PREPARED / "stats.json")
    with opened(PREPARED / "test.parquet") as file:
        test = file.read(columns=["id", "label", "content"])
    images, labels = arrays(test, (stats["channels"], stats["height"], stats["width"]))

    probabilities = metrics.softmax(torch_logits(restore(description, weights), images, **description["normalisation"]))
    predictions = probabilities.argmax(axis=1)

    classes = description["classes"]
    facts = {"test_digest": stats["splits"]["test"]["digest"], **metrics.summary(probabilities, labels, settings.confidence_threshold)}
    pairs = zip(labels, predictions, strict=True)
    confusion = [{"label": classes[label], "prediction": classes[prediction]} for label, prediction in pairs]
    files.write_text("reports/per_class.csv", _csv(metrics.per_class(predictions, labels, classes)))
    files.write_text("reports/confusion.csv", _csv(confusion))
    with files.atomic("reports/predictions.parquet") as file:
        pq.write_table(_predictions(test["id"], labels, predictions, probabilities), file)
    files.write_json("reports/evaluation.json", facts)
    accuracy = facts["accuracy"]
    print(f"test accuracy {accuracy['value']:.2%} ({accuracy['low']:.2%} to {accuracy['high']:.2%}, n = {accuracy['n']:,})")


def _predictions(ids: pa.ChunkedArray, labels: Any, predictions: Any, probabilities: Any) -> pa.Table:
    flat = pa.array(probabilities.astype(np.float32).ravel())
    return pa.table(
        {
            "id": ids,
            "label": pa.array(labels, pa.int16()),
            "prediction": pa.array(predictions, pa.int16()),
            "probabilities": pa.FixedSizeListArray.from_arrays(flat, probabilities.shape[1]),
        }
    )


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
