"""What the papers of a release say of loudness, and how its wheel is proved."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from duli.serving.tasks.loudness import command
from duli.tasks.loudness.task import SCORE

from duli.base.errors import GateError
from duli.packaging.product import Answered, Metric

TOLERANCE = 1e-5  # of the mean absolute error: answers are rounded to six places


class Task:
    """One number (see `duli.packaging.product.Task`)."""

    template = Path(__file__).parent / "measures.md.j2"
    filters: ClassVar[dict[str, Any]] = {}
    score = "mean absolute error"
    json = command.JSON
    option = None
    labels: ClassVar[list[str]] = []
    answer: ClassVar[dict[str, Any]] = {"loudness": "logits"}
    output = "logits: float32 [n, 1]"
    facts: ClassVar[dict[str, Any]] = {}
    properties: ClassVar[dict[str, Any]] = {}
    measures: ClassVar[dict[str, tuple[str, str]]] = {SCORE.key: ("mae", "mean absolute error")}

    def __init__(self, evidence: Mapping[str, Mapping[str, Any]]) -> None:
        self.promised = evidence["evaluation"][SCORE.key]

    def hub(self, modality: str) -> str:
        return "other"

    def moved(self, thing: str) -> str:
        return "The loudness moves"

    def agreements(self) -> list[tuple[str, Any, Any]]:
        return []

    def metrics(self) -> Iterator[Metric]:
        yield Metric(SCORE.key, self.promised, "test split")

    def changed(self, things: str) -> str:
        return f"answers test {things} a little otherwise than the trained model"

    def groups(self) -> dict[str, str]:
        return {}

    def reproduced(self, answers: Sequence[Any], targets: Sequence[float], things: str) -> str:
        found = np.array([answer["loudness"] for answer in answers])
        error = float(np.abs(found - np.array(targets)).mean())
        if abs(error - self.promised["value"]) > TOLERANCE:
            raise GateError(
                f"the installed wheel is off by {error} on the test {things}, but its card says"
                f" {self.promised['value']}; nothing was released"
            )
        return f"was off by {error:.6f} on the test {things}"


def answered(found: Mapping[str, Any], release: Mapping[str, Any]) -> Answered:
    """What a wheel gives, of the fields of its prediction."""
    return Answered(found["loudness"], found["loudness"][:, None], [])
