"""The papers of a classifier's release, and the proof of its wheel."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from duli.base.errors import GateError
from duli.packaging.product import Answered, Metric
from duli.serving.tasks.classification import command
from duli.tasks.classification.task import SCORE

# Measures of the test split, by their keys in reports/evaluation.json.
METRICS = (
    SCORE.key,
    "macro_f1",
    "log_loss",
    "brier",
    "calibration_error",
    "coverage",
    "accuracy_of_accepted",
)


class Task:
    """A classifier (see `duli.packaging.product.Task`)."""

    template = Path(__file__).parent / "measures.md.j2"
    score = SCORE.key
    json = command.JSON
    option = "--abstain gives no answer where the model is not sure enough"
    measures = {  # noqa: RUF012
        SCORE.key: ("accuracy", "accuracy"),
        "macro_f1": ("f1", "macro F1"),
        "log_loss": ("log_loss", "log loss, nats"),
        "calibration_error": ("expected_calibration_error", "calibration error"),
    }

    def __init__(self, evidence: Mapping[str, Mapping[str, Any]]) -> None:
        self.evidence = evidence
        self.evaluation = evaluation = evidence["evaluation"]
        self.labels: list[str] = evidence["stats"]["classes"]
        temperature = evaluation["temperature"]["value"]
        threshold = evaluation["confidence_threshold"]
        self.output = f"logits: float32 [n, {len(self.labels)}]"
        self.answer = {
            "temperature": temperature,
            "threshold": threshold,
            "probabilities": "softmax(logits / temperature)",
        }
        self.facts = {"classes": self.labels, "temperature": temperature, "threshold": threshold}
        self.properties = {"temperature": temperature, "confidence_threshold": threshold}
        self.filters = {"right": _right, "judged": _judged, "worst": _worst}

    def hub(self, modality: str) -> str:
        """The task in Hugging Face's terms, such as image-classification."""
        return f"{modality}-classification"

    def moved(self, thing: str) -> str:
        """A warning that a label may change."""
        return (
            f"Probabilities move, and a {thing} that lies between two classes may get the other one"
        )

    def agreements(self) -> list[tuple[str, Any, Any]]:
        """The classes."""
        model = self.evidence["model"]
        return [("models/model.json has other classes", model["classes"], self.labels)]

    def metrics(self) -> Iterator[Metric]:
        """The metrics of the test split, of its slices, and under corruption and attack."""
        evaluation, robustness = self.evaluation, self.evaluation["robustness"]
        for name in METRICS:
            if name in evaluation:
                yield Metric(name, evaluation[name], "test split")
        for by, facts in evaluation["slices"].items():
            for row in facts["groups"]:
                yield Metric(SCORE.key, row, f"test split, {by}: {row['group']}")
        for name, share in robustness.get("corruptions", {}).items():
            yield Metric(SCORE.key, share, f"test split, corrupted: {name}")
        for name, both in robustness.get("pgd", {}).items():
            yield Metric(SCORE.key, both["shipped"], f"test split, PGD: {name}")

    def changed(self, things: str) -> str:
        """Right answers lost and won."""
        paired = self.evaluation["paired"]
        return (
            f"lost {paired['lost']} and won {paired['won']} of {paired['n']} test {things} against"
            " the trained model"
        )

    def groups(self) -> dict[str, str]:
        """The group with the worst accuracy, by property."""
        worst = {by: slice_["worst"] for by, slice_ in _judged(self.evaluation["slices"]).items()}
        return {
            f"{by}: {group['group']}": (
                f"accuracy {group['value']} ({group['low']} to {group['high']})"
            )
            for by, group in worst.items()
        }

    def reproduced(self, answers: Sequence[Any], targets: Sequence[int], things: str) -> str:
        """The number of right answers in words; raises `GateError` if the card says
        another number.
        """
        promised = self.evaluation[SCORE.key]
        right = sum(
            answer["label"] == self.labels[target]
            for answer, target in zip(answers, targets, strict=True)
        )
        n = len(targets)
        if promised["n"] != n or not abs(promised["value"] * promised["n"] - right) < 0.5:
            raise GateError(
                f"the installed wheel gets {right:,} of {n:,} test {things} right"
                f" ({right / n:.4%}), but its card says {promised['value']:.4%} of"
                f" {promised['n']:,}; nothing was released: run `dvc repro --force -s evaluate`,"
                " and see whether another machine or library made reports/evaluation.json"
            )
        return f"got {right:,} of {n:,} test {things} right"


def answered(found: Mapping[str, Any], release: Mapping[str, Any]) -> Answered:
    """The answers of a wheel, from the fields of its prediction and its release.json."""
    classes: list[str] = release["classes"]
    indices = {name: index for index, name in enumerate(classes)}
    answers = np.array([indices[label] for label in found["labels"].tolist()], np.int64)
    return Answered(answers, found["probabilities"], classes)


def _right(share: Mapping[str, Any]) -> str:
    return f"{round(share['value'] * share['n']):,}"


def _judged(slices: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of which any group is large enough."""
    return {name: facts for name, facts in slices.items() if "worst" in facts}


def _worst(slices: Mapping[str, Any]) -> tuple[str, Any]:
    """The property, and its slice, whose worst group is the worst of all."""
    return min(slices.items(), key=lambda item: float(item[1]["worst"]["value"]))
