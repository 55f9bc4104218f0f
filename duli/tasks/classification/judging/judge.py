"""Evaluates a classifier on the test split: measures, slices, robustness and baselines, each with
its interval.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from duli.base import machine
from duli.evaluation.judged import Judge, Judgement, Model, Split, Splits
from duli.evaluation.predict import onnx_logits, softmax
from duli.tasks.classification.comparing import paired as compare
from duli.tasks.classification.judging import baseline, calibration, coverage, cut, metrics
from duli.tasks.classification.judging import page as pages
from duli.tasks.classification.judging import robustness as robust
from duli.tasks.classification.judging.params import Evaluate, Robustness

if TYPE_CHECKING:
    from torch import Tensor

TRAINED, EXPORTED = "torch", "fp32"  # the network of all variants, and its unmodified export
GALLERY = 24  # number of worst mistakes shown
HEADS = {  # columns of tables that may be empty
    "slices": ("slice", "by", "group", "value", "low", "high", "n"),
    "robustness": ("disturbance", "model", "accuracy", "accuracy_low", "accuracy_high", "examples"),
}
SETTINGS = Evaluate

Labels = NDArray[np.int64]
Probabilities = dict[str, NDArray[np.float64]]  # [n, classes] by variant
Facts = dict[str, Any]


def judged(
    model: Model, splits: Splits, judge: Judge, stats: Facts, validated: Facts, settings: Evaluate
) -> Judgement:
    """Evaluates the shipped variant; `validated` is its entry in quantization.json, `stats` the
    content of stats.json.
    """
    test = splits.split("test")
    skipped = dict(judge.skipped(model.description))
    probabilities, temperature, export = _probabilities(model, splits, test)
    facts, tables = _measures(model, test, probabilities, settings)
    answers = probabilities[model.shipped].argmax(axis=1)
    found, no_slices = cut.sliced(
        model.description["classes"],
        test,
        answers,
        stats.get("sensitive", []),
        settings.slices,
        {} if "looks" in skipped else judge.looks(test),
    )
    facts = {
        "test_digest": stats["splits"]["test"]["digest"],
        "variant": model.shipped,
        # Values that another CPU or library may round differently in the last digits.
        "judged_on": {**machine.cpu(), "versions": machine.versions("onnxruntime", "numpy")},
        **facts,
        "validation_gap": compare.gap(validated["validation_accuracy"], facts["accuracy"]),
        "baseline": _baselines(judge, splits, test, answers, len(stats["classes"])),
        "temperature": temperature,
        "export": export,
        "slices": found,
        "robustness": _robustness(model, test, judge, skipped, settings.robustness),
        # Measures that were skipped, and why.
        "skipped": {**skipped, **({"slices": no_slices} if no_slices else {})},
    }
    tables |= {
        "slices": pages.slice_rows(found),
        "robustness": pages.robustness_rows(facts["robustness"]),
    }
    shown: Facts = {"mistakes": [], "corruptions": {}}
    if "gallery" not in skipped:
        rows = [mistake["row"] for mistake in facts["mistakes"]]
        seed = settings.robustness.seed
        shown = judge.shown(model, test, rows, answers[rows], test.targets[rows], seed)
    page = pages.page(model, facts, tables, shown, stats["title"])
    return Judgement(facts, tables, HEADS, _predictions(test, probabilities), page)


def tell(facts: Facts) -> None:
    """Prints the result of the evaluation."""
    pages.tell(facts)


def _answers(outputs: NDArray[np.float32]) -> Labels:
    answers: Labels = outputs.argmax(axis=1)
    return answers


def _probabilities(model: Model, splits: Splits, test: Split) -> tuple[Probabilities, Facts, Facts]:
    """The probabilities of every variant on the test split at the temperature of the shipped one;
    that temperature; and the agreement of the export.
    """
    # The temperature is fitted on validation: the test split decides nothing.
    validation = splits.split("validation")
    temperature = calibration.temperature(
        model.outputs_shipped(validation.inputs), validation.targets
    )
    scale = temperature.value if temperature.helps else 1.0
    logits = {TRAINED: model.outputs_trained(test.inputs)}
    logits |= {name: onnx_logits(content, test.inputs) for name, content in model.onnx.items()}
    probabilities = {name: softmax(one / scale) for name, one in logits.items()}
    export = compare.agreement(logits[EXPORTED], logits[TRAINED])
    found = {"value": scale, "fitted": temperature.value, "gain": temperature.gain}
    return probabilities, found, export


def _measures(
    model: Model, test: Split, probabilities: dict[str, NDArray[np.float64]], settings: Evaluate
) -> tuple[Facts, Facts]:
    """Measures computed from probabilities and labels, and the tables behind the plots."""
    classes, labels, shipped = (
        model.description["classes"],
        test.targets,
        probabilities[model.shipped],
    )
    answers = {name: one.argmax(axis=1) for name, one in probabilities.items()}
    predictions, confidence = answers[model.shipped], shipped.max(axis=1)
    correct = (predictions == labels).astype(np.float64)
    counts = metrics.confusion(predictions, labels, len(classes))
    worst = metrics.worst_mistakes(shipped, labels, GALLERY)
    facts = {
        **metrics.summary(shipped, labels, settings.confidence_threshold, settings.top_k),
        "variants": {
            name: {"accuracy": metrics.accuracy(answers[name], labels)}
            for name in (TRAINED, EXPORTED)
        },
        # Answers of the trained model that export and quantization changed.
        "paired": compare.paired(answers[TRAINED], predictions, labels).points(),
        "wrong": int((predictions != labels).sum()),
        # Lists are for the page only: gates and MLflow ignore them.
        "most_confused": metrics.most_confused(counts, classes),
        "per_class": metrics.per_class(counts, classes),
        "mistakes": [
            {
                "id": test.table["id"][row].as_py(),
                "row": row,
                "label": classes[labels[row]],
                "prediction": classes[predictions[row]],
                "confidence": float(confidence[row]),
                "label_probability": float(shipped[row, labels[row]]),
            }
            for row in worst.tolist()
        ],
    }
    pairs = zip(labels, predictions, strict=True)
    return facts, {
        "confusion": [
            {"label": classes[label], "prediction": classes[prediction]}
            for label, prediction in pairs
        ],
        "per_class": facts["per_class"],
        "reliability": calibration.reliability(confidence, correct),
        "risk_coverage": coverage.curve(confidence, correct),
    }


def _baselines(judge: Judge, splits: Splits, test: Split, answers: Labels, classes: int) -> Facts:
    """The accuracy of simpler models on the test split, and the gain of `answers` over them."""
    labels = splits.targets("train")
    width = int(np.prod(test.inputs.shape[1:]))
    train = splits.split("train", baseline.drawn(len(labels), classes, width))
    validation = splits.split("validation")
    given = judge.features([train, validation, test], classes)
    linear = baseline.linear(given.splits, (train.targets, validation.targets), given.strengths)
    simple = {"majority": baseline.majority(labels, len(test.targets)), "linear": linear.answers}
    facts = {
        name: {
            "accuracy": metrics.accuracy(one, test.targets),
            **compare.gain_points(one, answers, test.targets),
        }
        for name, one in simple.items()
    }
    facts["linear"] |= {"examples": linear.examples, "strength": linear.strength}
    return facts


def _robustness(
    model: Model, test: Split, judge: Judge, skipped: Facts, settings: Robustness
) -> Facts:
    """Accuracy of the shipped file on corrupted and attacked examples."""
    found: Facts = {}
    if "corruptions" not in skipped:
        rows = robust.evenly(len(test.targets), settings.corruptions.examples)
        found |= robust.under_corruptions(
            lambda inputs: _answers(model.outputs_shipped(inputs)),
            test.inputs[rows],
            judge.ways(test, rows, model.description, settings.seed),
            test.targets[rows],
        )
    if found and "pgd" not in skipped:
        found |= _attacks(model, test, judge, settings)
    return found


def _attacks(model: Model, test: Split, judge: Judge, settings: Robustness) -> Facts:
    """Accuracy of the trained network and the shipped file on adversarial examples crafted against
    the former.
    """
    import torch
    from torch.nn import functional

    pgd = settings.pgd
    rows = robust.evenly(len(test.targets), pgd.examples)
    inputs, labels = test.inputs[rows], test.targets[rows]

    def loss(outputs: "Tensor", part: slice) -> "Tensor":
        targets = torch.from_numpy(labels[part].astype(np.int64))
        return functional.cross_entropy(outputs, targets, reduction="none")

    found = robust.under_attack(
        lambda epsilon: judge.attacked(
            model, inputs, loss, epsilon=epsilon, steps=pgd.steps, seed=settings.seed
        ),
        {
            "trained": lambda given: _answers(model.outputs_trained(given)),
            "shipped": lambda given: _answers(model.outputs_shipped(given)),
        },
        inputs,
        labels,
        pgd.epsilons,
    )
    return {"pgd": found, "pgd_steps": pgd.steps, "pgd_sizes": [0, *pgd.epsilons]}


def _predictions(test: Split, probabilities: Probabilities) -> pa.Table:
    """Id, label and the probabilities of every variant, from which its answers and all comparisons
    follow.
    """
    columns = {"id": test.table["id"], "label": pa.array(test.targets, pa.int16())}
    for name, one in probabilities.items():
        columns[name] = pa.FixedSizeListArray.from_arrays(
            pa.array(one.astype(np.float32).ravel()), one.shape[1]
        )
    return pa.table(columns)
