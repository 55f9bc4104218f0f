"""Judges what ships on the test split: accuracy, calibration, coverage, slices, each with its interval, beside the other variants."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from duli import files
from duli.evaluation import calibration, compare, coverage, metrics, slices
from duli.evaluation.params import Evaluate
from duli.evaluation.predict import Images, onnx_logits, softmax, torch_logits
from duli.evaluation.slices import Groups
from duli.models._restore import restore
from duli.params import Params
from duli.preparation.parquet import arrays, examples, opened

MODELS = Path("models")
PREPARED = Path("data/prepared")
TRAINED = "torch"  # the variant that all others were made from
# Columns that every data set has, none of which says what an example is of.
COLUMNS = ("id", "split", "label", "content", "sha256", "height", "width", "mean", "std", "min", "max")


def main() -> None:
    settings = Params("params.yaml").section("evaluate", Evaluate)
    description = files.read_json(MODELS / "model.json")
    weights = files.verified(MODELS / description["weights"]["file"], description["weights"]["sha256"])
    quantization = files.read_json("reports/quantization.json")
    shipped = quantization["choice"]
    onnx = {name: files.verified(MODELS / facts["file"], facts["sha256"]) for name, facts in quantization["variants"].items()}
    stats = files.read_json(PREPARED / "stats.json")
    shape = (stats["channels"], stats["height"], stats["width"])
    with opened(PREPARED / "test.parquet") as file:
        test = file.read()
    images, labels = arrays(test, shape)

    # The temperature is fitted on validation: nothing is chosen by the test split.
    validation, validation_labels = examples(PREPARED / "validation.parquet", shape)
    temperature = calibration.temperature(onnx_logits(onnx[shipped], validation), validation_labels)
    scale = temperature.value if temperature.helps else 1.0

    logits = {TRAINED: torch_logits(restore(description, weights), images, **description["normalisation"])}
    logits |= {name: onnx_logits(content, images) for name, content in onnx.items()}
    probabilities = {name: softmax(one / scale) for name, one in logits.items()}
    answers = {name: one.argmax(axis=1) for name, one in logits.items()}
    predictions, confidence = answers[shipped], probabilities[shipped].max(axis=1)
    correct = (predictions == labels).astype(np.float64)

    classes = description["classes"]
    counts = metrics.confusion(predictions, labels, len(classes))
    groups = _groups(test, images, [classes[label] for label in labels], settings.slices.quantiles)
    facts = {
        "test_digest": stats["splits"]["test"]["digest"],
        "variant": shipped,
        **metrics.summary(probabilities[shipped], labels, settings.confidence_threshold, settings.top_k),
        "temperature": {"value": scale, "fitted": temperature.value, "gain": temperature.gain},
        "variants": {name: {"accuracy": metrics.accuracy(one, labels)} for name, one in answers.items()},
        # What export and quantization changed of the trained model's answers.
        "paired": compare.paired(answers[TRAINED], predictions, labels).points(),
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
        pq.write_table(_predictions(test["id"], labels, probabilities), file)
    files.write_json("reports/evaluation.json", facts)
    _tell(facts)


def _tell(facts: dict[str, Any]) -> None:
    accuracy, error, temperature = facts["accuracy"], facts["calibration_error"], facts["temperature"]
    print(f"{facts['variant']}: accuracy {accuracy['value']:.2%} ({accuracy['low']:.2%} to {accuracy['high']:.2%}, n = {accuracy['n']:,})")
    print(f"calibration error {error['value']:.4f} ({error['low']:.4f} to {error['high']:.4f}) at temperature {temperature['value']:.3f}")
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


def _predictions(ids: pa.ChunkedArray, labels: NDArray[np.int64], probabilities: dict[str, NDArray[np.float64]]) -> pa.Table:
    """Id, label and the probabilities of every variant, from which its answers and all comparisons follow."""
    columns = {"id": ids, "label": pa.array(labels, pa.int16())}
    for name, one in probabilities.items():
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(one.astype(np.float32).ravel()), one.shape[1])
    return pa.table(columns)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
