"""Classification: an answer is the probability of each class, and the most probable is its label.

What may be wished for is that an unsure answer is withheld: a truth value, `abstain`.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bodies import kind_of
from ...errors import InputError
from ...kind import Labelled, Words
from ...task import Described, Output
from . import evaluate
from .labels import indices

DIGITS = 6  # decimal places of a probability
QUERIES = {
    b"": False,
    b"abstain=true": True,
    b"abstain=1": True,
    b"abstain=false": False,
    b"abstain=0": False,
}

Probabilities = NDArray[np.float32]  # [n, classes]


class Prediction(NamedTuple):
    """One answer per example, in order."""

    labels: list[str]
    probabilities: Probabilities  # each row sums to 1


class Task:
    """Classes, the temperature of the softmax, and the probability below which an answer is
    unsure.
    """

    def __init__(self, release: Mapping[str, Any]) -> None:
        self.names: list[str] = release["classes"]
        self.width = len(self.names)
        # without it the probabilities are not calibrated
        self.temperature: float = release["temperature"]
        self.threshold: float = release["threshold"]
        self.card: dict[str, Any] = release["numbers"]["evaluation"]["accuracy"]
        self.about = {"classes": self.names, "threshold": self.threshold, "accuracy": self.card}
        self.tensors = (
            Output("probabilities", "FP32", (-1, self.width)),
            Output("label", "BYTES", (-1,)),
        )
        self._quoted = [json.dumps(name) for name in self.names]
        by_class = ", ".join(f"{name.replace('%', '%%')}: %.{DIGITS}f" for name in self._quoted)
        self._line = (
            f'{{"label": %s, "probability": %.{DIGITS}f, "abstains": %s, "probabilities": {{'
            f"{by_class}}}}}"
        )

    def answers(self, outputs: NDArray[np.float32]) -> Probabilities:
        """The softmax of logits [n, classes]."""
        logits = outputs / self.temperature
        with np.errstate(over="ignore"):  # a difference beyond float32 is -inf, whose power is 0
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def chosen(self, answers: Probabilities) -> NDArray[np.int64]:
        """The most probable class of each, [n]."""
        return np.asarray(answers.argmax(axis=1), np.int64)

    def prediction(self, answers: Probabilities) -> Prediction:
        """Labels and probabilities."""
        return Prediction([self.names[index] for index in answers.argmax(axis=1)], answers)

    def wish(self, query: bytes) -> bool:
        """The wish to abstain in the query of an address."""
        try:
            return QUERIES[query]
        except KeyError:
            raise InputError(
                "the only query this address knows is ?abstain=true (or false); correct it"
            ) from None

    def wished(self, values: Mapping[str, Any], usual: bool) -> bool:
        """The value of the key `abstain`, or that of MLflow's `params`; `usual` without either."""
        params = values.get("params")
        if params is not None and not isinstance(params, dict):
            raise InputError(f"params is a {kind_of(params)}; give an object, or leave it out")
        general = (params or {}).get("abstain")
        wish = values.get("abstain", general)
        for given in (wish, general):
            if given is not None and not isinstance(given, bool):
                raise InputError('"abstain" is true or false')
        return usual if wish is None else wish

    def opted(self, options: argparse.Namespace) -> bool:
        """Whether --abstain was given."""
        return bool(options.abstain)

    def _judged(
        self, answers: Probabilities, wish: bool
    ) -> Iterator[tuple[int | None, float, bool, list[float]]]:
        """The class (None: withheld), its probability, doubt, and the probabilities of all classes
        for each answer.
        """
        best = answers.argmax(axis=1).tolist()
        for index, row in zip(best, answers.tolist(), strict=True):
            top = row[index]
            unsure = not top >= self.threshold
            yield (None if unsure and wish else index), top, unsure, row

    def heading(self) -> str:
        """The heading of the table that `lines` fill."""
        return f"{'answer':<10}  probability"

    def lines(self, answers: Probabilities, wish: bool) -> Iterator[str]:
        """Label and probability, for people."""
        for index, top, _, _ in self._judged(answers, wish):
            label = "-" if index is None else self.names[index]
            yield f"{label:<10}  {top:.4f}"

    def objects(self, answers: Probabilities, wish: bool) -> Iterator[dict[str, Any]]:
        """Label, probability, doubt, and the probabilities of all classes."""
        for index, top, unsure, row in self._judged(answers, wish):
            yield {
                "label": None if index is None else self.names[index],
                "probability": round(top, DIGITS),
                "abstains": unsure,
                "probabilities": {
                    name: round(value, DIGITS) for name, value in zip(self.names, row, strict=True)
                },
            }

    def json(self, answers: Probabilities, wish: bool) -> bytes:
        """The `objects` as JSON, divided by commas."""
        lines, line, quoted, threshold = [], self._line, self._quoted, self.threshold
        best = answers.argmax(axis=1).tolist()
        for index, row in zip(best, answers.tolist(), strict=True):
            top = row[index]
            unsure = not top >= threshold
            label = "null" if unsure and wish else quoted[index]
            lines.append(line % (label, top, "true" if unsure else "false", *row))
        return ", ".join(lines).encode()

    def tensor(self, name: str, answers: Probabilities, wish: bool) -> NDArray[Any] | list[str]:
        """An output of `tensors`; a label that is withheld is the empty string."""
        if name == "probabilities":
            return answers
        labels = [self.names[index] for index in answers.argmax(axis=1).tolist()]
        if not wish:
            return labels
        most = answers.max(axis=1).tolist()
        return [
            label if top >= self.threshold else "" for label, top in zip(labels, most, strict=True)
        ]

    def described(self) -> Described:
        """The schemas of an answer and of what may be wished for."""
        probability = {"type": "number", "minimum": 0, "maximum": 1}
        wish = {"type": ["boolean", "null"]}
        return Described(
            "Which class the {things} belong to.",
            {
                "type": "object",
                "required": ["label", "probability", "abstains", "probabilities"],
                "properties": {
                    "label": {
                        "enum": [*self.names, None],
                        "description": "null: withheld, because abstain was asked for",
                    },
                    "probability": probability,
                    "abstains": {
                        "type": "boolean",
                        "description": "the probability is below the release's threshold",
                    },
                    "probabilities": {
                        "type": "object",
                        "properties": dict.fromkeys(self.names, probability),
                        "required": self.names,
                    },
                },
            },
            {"abstain": wish},
            [
                {
                    "name": "abstain",
                    "in": "query",
                    "description": (
                        "Withhold the label where the model is less sure than the release's"
                        " threshold."
                    ),
                    "schema": {"type": "string", "enum": ["true", "false", "1", "0"]},
                }
            ],
        )

    def targets(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """The class that each label names."""
        return indices(labels, self.names)

    def numbered(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Labels that are indices of classes already."""
        if labels.min() < 0 or labels.max() >= self.width:
            raise InputError(
                f"a label is {int(labels.min())} or {int(labels.max())}; the model knows 0 to"
                f" {self.width - 1}"
            )
        return labels

    def judge(
        self,
        answers: Probabilities,
        data: Labelled,
        words: Words,
        *,
        own: bool,
        cause: Callable[[Callable[[Probabilities], int]], str],
    ) -> None:
        """Compares the share of right answers with the card's; raises `CardError` if it is
        worse, or another of the card's own examples.
        """
        chosen = self.chosen(answers)
        right = int((chosen == data.labels).sum())
        here, card = (right, len(data.labels)), self.card
        evaluate.judge(
            here,
            card,
            words.things,
            own=own,
            cause=lambda: cause(lambda others: int((self.chosen(others) != chosen).sum())),
        )
