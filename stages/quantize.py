"""Exports the model to ONNX, makes its int8 form, compares both on the same examples and chooses the one that ships."""

from pathlib import Path

from duli import files
from duli.compression import compare, export, int8
from duli.compression.params import Quantize
from duli.errors import GateError
from duli.evaluation.compare import paired
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

    # The test split stays unread until the choice is made: it is there to judge it.
    validation, validation_labels = examples(PREPARED / "validation.parquet", shape)
    logits = {name: onnx_logits(content, validation) for name, content in variants.items()}
    agreement = compare.agreement(logits["fp32"], torch_logits(model, validation, **normalisation))
    if not (agreement["disagreements"] == 0 and agreement["max_logit_difference"] <= TOLERANCE):
        raise GateError(
            f"the exported ONNX model disagrees with the trained one: {agreement['disagreements']} of {len(validation):,} answers, "
            f"logits by up to {agreement['max_logit_difference']:.2g} (allowed {TOLERANCE:g}); "
            "take operators that ONNX has in the architecture, duli/models/"
        )
    answers = {name: one.argmax(axis=1) for name, one in logits.items()}
    drop = paired(answers["fp32"], answers["int8"], validation_labels).points()
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
                    "validation_accuracy": proportion(int((answers[name] == validation_labels).sum()), len(validation_labels)),
                }
                for name, content in variants.items()
            },
            "export": {**agreement, "n": len(validation)},
            "validation_paired": drop,
            "size_ratio": len(variants["fp32"]) / len(variants["int8"]),
        },
    )
    print(f"{choice} ships: {reason}; {len(variants[choice]) / 1000:.1f} kB")
