"""Exports the model to ONNX, makes its int8 form, compares both on the same examples and chooses the one that ships."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from duli import files
from duli.compression import compare, export, int8
from duli.compression.params import Quantize
from duli.errors import GateError
from duli.evaluation.predict import onnx_logits, torch_logits
from duli.intervals import proportion
from duli.models._restore import restore
from duli.params import Params
from duli.preparation.parquet import examples

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
    variants["int8"] = int8.quantize(variants["fp32"], images[rows])

    validation, validation_labels = examples(PREPARED / "validation.parquet", shape)
    test, test_labels = examples(PREPARED / "test.parquet", shape)
    on_validation = {name: onnx_logits(content, validation) for name, content in variants.items()}
    on_test = {name: onnx_logits(content, test) for name, content in variants.items()}
    agreement = compare.agreement(on_test["fp32"], torch_logits(model, test, **normalisation))
    if not (agreement["disagreements"] == 0 and agreement["max_logit_difference"] <= TOLERANCE):
        raise GateError(
            f"the exported ONNX model disagrees with the trained one: {agreement['disagreements']} of {len(test):,} answers, "
            f"logits by up to {agreement['max_logit_difference']:.2g} (allowed {TOLERANCE:g}); "
            "take operators that ONNX has in the architecture, duli/models/"
        )
    answers = {name: logits.argmax(axis=1) for name, logits in on_validation.items()}
    drop = compare.paired(answers["fp32"], answers["int8"], validation_labels)
    test_drop = compare.paired(on_test["fp32"].argmax(axis=1), on_test["int8"].argmax(axis=1), test_labels)
    choice, reason = compare.choose(drop, settings.max_drop)

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
                    "accuracy": _accuracy(on_test[name].argmax(axis=1), test_labels),
                    "validation_accuracy": _accuracy(answers[name], validation_labels),
                }
                for name, content in variants.items()
            },
            "export": agreement,
            "validation_paired": _points(drop),
            "paired": _points(test_drop),
            "size_ratio": len(variants["fp32"]) / len(variants["int8"]),
        },
    )
    print(f"{choice} ships: {reason}; {len(variants[choice]) / 1000:.1f} kB")


def _accuracy(answers: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, float]:
    return proportion(int((answers == labels).sum()), len(labels))


def _points(drop: compare.Paired) -> dict[str, float]:
    """As the report shows it: the drop in percentage points."""
    return {
        "n": drop.n,
        "lost": drop.lost,
        "won": drop.won,
        "drop_points": drop.drop * 100,
        "drop_points_low": drop.drop_low * 100,
        "drop_points_high": drop.drop_high * 100,
    }
