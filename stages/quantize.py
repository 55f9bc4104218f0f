"""Exports the model to ONNX, makes its int8 form, compares both on the same examples and chooses the one that ships."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duli import files
from duli.compression import compare, export, int8
from duli.compression.params import Quantize
from duli.errors import DataError, GateError
from duli.evaluation.compare import paired
from duli.evaluation.predict import onnx_logits, torch_logits
from duli.intervals import proportion
from duli.models._restore import restore
from duli.params import Params
from duli.preparation.parquet import examples
from duli.progress import progress

TOLERANCE = 1e-3  # largest difference of a logit between torch and the exported float32 model

MODELS = Path("models")
PREPARED = Path("data/prepared")


def main() -> None:
    settings = Params("params.yaml").section("quantize", Quantize)
    description = files.read_json(MODELS / "model.json")
    weights = files.verified(MODELS / description["weights"]["file"], description["weights"]["sha256"])
    model = restore(description, weights)
    shape = (description["input"]["channels"], description["input"]["height"], description["input"]["width"])
    normalisation = description["normalisation"]

    variants = {"fp32": export.to_onnx(model, shape, **normalisation)}
    images, labels = examples(PREPARED / "train.parquet", shape)
    rows = int8.draw(labels, settings.calibration_rows, settings.seed)
    _misses_no_class(labels[rows], description["classes"], settings)
    tried: dict[str, bytes] = {
        method: int8.quantize(variants["fp32"], images[rows], method)
        for method in progress(settings.calibration, "calibrating", unit="methods")
    }

    # The test split stays unread until the choice is made: it is there to judge it.
    validation, validation_labels = examples(PREPARED / "validation.parquet", shape)
    original = onnx_logits(variants["fp32"], validation)
    calibrations: dict[str, dict[str, Any]] = {}
    for method, content in tried.items():
        quantized = onnx_logits(content, validation)
        change = paired(original.argmax(axis=1), quantized.argmax(axis=1), validation_labels).points()
        calibrations[method] = {**change, "logit_error": compare.logit_error(quantized, original)}
    calibration = compare.best(calibrations)
    variants["int8"] = tried[calibration]
    logits = {"fp32": original, "int8": onnx_logits(variants["int8"], validation)}
    agreement = compare.agreement(logits["fp32"], torch_logits(model, validation, **normalisation))
    if not (agreement["disagreements"] == 0 and agreement["max_logit_difference"] <= TOLERANCE):
        raise GateError(
            f"the exported ONNX model disagrees with the trained one: {agreement['disagreements']} of {len(validation):,} answers, "
            f"logits by up to {agreement['max_logit_difference']:.2g} (allowed {TOLERANCE:g}); "
            "take operators that ONNX has in the architecture, duli/models/"
        )
    answers = {name: one.argmax(axis=1) for name, one in logits.items()}
    drop = calibrations[calibration]
    by_class = {
        name: paired(*(one[validation_labels == index] for one in (answers["fp32"], answers["int8"], validation_labels))).points()
        for index, name in enumerate(description["classes"])
        if (validation_labels == index).any()
    }
    choice, reason = compare.choose(drop, by_class, settings.max_drop, settings.max_class_drop)

    names = {"fp32": "model.onnx", "int8": "model.int8.onnx"}
    for name, content in variants.items():
        files.write_bytes(MODELS / names[name], content)
    files.write_json(
        "reports/quantization.json",
        {
            "choice": choice,
            "reason": reason,
            "variants": {
                name: {
                    "file": names[name],
                    "bytes": len(content),
                    "sha256": files.sha256(content),
                    "validation_accuracy": proportion(int((answers[name] == validation_labels).sum()), len(validation_labels)),
                }
                for name, content in variants.items()
            },
            "export": {**agreement, "n": len(validation)},
            "calibration": calibration,
            "calibrations": calibrations,
            "validation_paired": drop,
            "validation_paired_by_class": [{"class": name, **facts} for name, facts in by_class.items()],
            "size_ratio": len(variants["fp32"]) / len(variants["int8"]),
        },
    )
    print(f"calibrated by {calibration}, the best of {', '.join(settings.calibration)}")
    print(f"{choice} ships: {reason}; {len(variants[choice]) / 1000:.1f} kB")


def _misses_no_class(drawn: NDArray[np.int64], classes: list[str], settings: Quantize) -> None:
    """Raises `DataError` where no calibration example shows a class: the ranges of its activations would be guesses."""
    missing = [name for index, name in enumerate(classes) if index not in drawn]
    if missing:
        raise DataError(
            f"the {len(drawn)} calibration rows have no example of class {', '.join(missing)}; raise quantize.calibration_rows "
            f"({settings.calibration_rows}), or look whether data/prepared/train.parquet has that class"
        )
