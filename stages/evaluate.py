"""Judges the trained model on the test split: accuracy, calibration, coverage, slices, each with its interval."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from duli import files
from duli.evaluation import calibration, coverage, metrics, slices
from duli.evaluation.params import Evaluate
from duli.evaluation.predict import Images, softmax, torch_logits
from duli.evaluation.slices import Groups
from duli.models._restore import restore
from duli.params import Params
from duli.preparation.parquet import arrays, opened

MODELS = Path("models")
PREPARED = Path("data/prepared")
# Columns that every data set has, none of which says what an example is of.
COLUMNS = ("id", "split", "label", "content", "sha256", "height", "width", "mean", "std", "min", "max")


def main() -> None:
    settings = Params("params.yaml").section("evaluate", Evaluate)
    description = files.read_json(MODELS / "model.json")
    weights = files.verified(MODELS / description["weights"]["file"], description["weights"]["sha256"])
    stats = files.read_json(PREPARED / "stats.json")
    with opened(PREPARED / "test.parquet") as file:
        test = file.read()
    images, labels = arrays(test, (stats["channels"], stats["height"], stats["width"]))

    classes = description["classes"]
    probabilities = softmax(torch_logits(restore(description, weights), images, **description["normalisation"]))
    predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = (predictions == labels).astype(np.float64)
    counts = metrics.confusion(predictions, labels, len(classes))
    groups = _groups(test, images, [classes[label] for label in labels], settings.slices.quantiles)

    facts = {
        "test_digest": stats["splits"]["test"]["digest"],
        **metrics.summary(probabilities, labels, settings.confidence_threshold, settings.top_k),
        "most_confused": metrics.most_confused(counts, classes),
        "slices": slices.judged(groups, predictions, labels, settings.slices.min_examples),
    }
    pairs = zip(labels, predictions, strict=True)
    tables = {
        "confusion": [{"label": classes[label], "prediction": classes[prediction]} for label, prediction in pairs],
        "per_class": metrics.per_class(counts, classes),
        "reliability": calibration.reliability(confidence, correct),
        "risk_coverage": coverage.curve(confidence, correct),
        "slices": [{"by": by, **row} for by, found in facts["slices"].items() for row in found["groups"]],
    }
    for name, rows in tables.items():
        files.write_text(f"reports/{name}.csv", _csv(rows))
    with files.atomic("reports/predictions.parquet") as file:
        pq.write_table(_predictions(test["id"], labels, predictions, probabilities), file)
    files.write_json("reports/evaluation.json", facts)
    accuracy, error = facts["accuracy"], facts["calibration_error"]
    print(f"test accuracy {accuracy['value']:.2%} ({accuracy['low']:.2%} to {accuracy['high']:.2%}, n = {accuracy['n']:,})")
    print(f"calibration error {error['value']:.4f} ({error['low']:.4f} to {error['high']:.4f})")
    for by, found in facts["slices"].items():
        if worst := found.get("worst"):
            print(
                f"weakest by {by}: {worst['group']}, {worst['value']:.2%} ({worst['low']:.2%} to {worst['high']:.2%}, n = {worst['n']:,})"
            )


def _groups(test: pa.Table, images: Images, classes: list[str], quantiles: int) -> dict[str, Groups]:
    """The slices of the test split: by class, by what can be seen of the images, and by whatever else the data set says of them."""
    found = {"class": slices.by_value(classes)}
    found |= {name: slices.by_quantile(values, quantiles) for name, values in slices.looks(images).items()}
    for name in test.column_names:
        if name not in COLUMNS:
            column = test[name]
            number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
            found[name] = slices.by_quantile(column.to_numpy(), quantiles) if number else slices.by_value(column.to_pylist())
    return {name: groups for name, groups in found.items() if groups is not None}


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
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
