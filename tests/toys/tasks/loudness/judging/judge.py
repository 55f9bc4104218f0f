"""Judges the toy on the test split: the error of the file that ships, and that of the median."""

from typing import Any

import numpy as np
import pyarrow as pa
from duli.tasks.loudness.measures import Evaluate
from duli.tasks.loudness.task import SCORE, TOLERANCE

from duli.base.intervals import proportion
from duli.evaluation import bootstrap
from duli.evaluation.judged import Judge, Judgement, Model, Splits
from duli.evaluation.predict import onnx_logits

SETTINGS = Evaluate

Facts = dict[str, Any]


def judged(
    model: Model,
    splits: Splits,
    judge: Judge,
    stats: Facts,
    validated: Facts,
    settings: Evaluate,
) -> Judgement:
    """Judges what ships."""
    test = splits.split("test")
    outputs = {"torch": model.outputs_trained(test.inputs)}
    outputs |= {name: onnx_logits(content, test.inputs) for name, content in model.onnx.items()}
    errors = np.abs(outputs[model.shipped].astype(np.float64) - test.targets)[:, 0]
    median = np.abs(np.median(splits.targets("train")) - test.targets)[:, 0]
    facts = {
        "test_digest": stats["splits"]["test"]["digest"],
        "variant": model.shipped,
        "n": len(errors),
        SCORE.key: _mean(errors),
        "accuracy_of_accepted": proportion(int((errors <= TOLERANCE).sum()), len(errors)),
        "worst_error": float(errors.max()),
        "baseline": {"median": {"gain": _mean(median - errors)}},
    }
    columns = {"id": test.table["id"], "label": test.table["label"]}
    for name, answers in outputs.items():
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(answers.ravel()), 1)
    rows = [{"error": error} for error in errors.tolist()]
    page = f"<!doctype html><title>Loudness</title><p>{facts[SCORE.key]['value']:.6f}"
    return Judgement(facts, {"errors": rows}, {}, pa.table(columns), page)


def tell(facts: Facts) -> None:
    """Prints the error."""
    print(f"off by {facts[SCORE.key]['value']:.6f} on the test split")


def _mean(values: Any) -> dict[str, float]:
    return bootstrap.of_examples(lambda drawn: drawn.mean(axis=-1), values)
