"""Loudness: an answer is one number."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import CardError, InputError
from ...kind import Labelled, Words
from ...task import Described, Output

TOLERANCE = 1e-5  # of the mean absolute error on the card's own examples


class Prediction(NamedTuple):
    """One answer for each example, in order."""

    loudness: NDArray[np.float32]  # [n]


class Task:
    """One number (see `Task` of task.py)."""

    width = 1
    names: list[str] = []  # noqa: RUF012
    tensors = (Output("loudness", "FP32", (-1,)),)

    def __init__(self, release: Mapping[str, Any]) -> None:
        self.card = release["numbers"]["evaluation"]["mean_absolute_error"]
        self.about = {"mean_absolute_error": self.card}

    def answers(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return outputs

    def chosen(self, answers: NDArray[np.float32]) -> NDArray[np.int64]:
        raise AssertionError("only kinds that count their inputs ask for it")

    def prediction(self, answers: NDArray[np.float32]) -> Prediction:
        return Prediction(answers[:, 0])

    def wish(self, query: bytes) -> None:
        if query:
            raise InputError("this address knows no query; leave it out")

    def wished(self, values: Mapping[str, Any], usual: None) -> None:
        return None

    def opted(self, options: Any) -> None:
        return None

    def heading(self) -> str:
        return "loudness"

    def lines(self, answers: NDArray[np.float32], wish: None) -> Iterator[str]:
        for value in answers[:, 0].tolist():
            yield f"{value:.4f}"

    def objects(self, answers: NDArray[np.float32], wish: None) -> Iterator[dict[str, Any]]:
        for value in answers[:, 0].tolist():
            yield {"loudness": round(value, 6)}

    def json(self, answers: NDArray[np.float32], wish: None) -> bytes:
        return ", ".join(json.dumps(one) for one in self.objects(answers, wish)).encode()

    def tensor(self, name: str, answers: NDArray[np.float32], wish: None) -> NDArray[Any]:
        return answers[:, 0]

    def described(self) -> Described:
        number = {"type": "object", "properties": {"loudness": {"type": "number"}}}
        return Described("How loud the {things} are.", number, {}, [])

    def targets(self, labels: Sequence[str]) -> NDArray[np.float32]:
        try:
            return np.array([float(label) for label in labels], np.float32)
        except ValueError:
            raise InputError("a label is no number; correct it") from None

    def numbered(self, labels: NDArray[np.int64]) -> NDArray[np.float32]:
        return labels.astype(np.float32)

    def judge(
        self,
        answers: NDArray[np.float32],
        data: Labelled,
        words: Words,
        *,
        own: bool,
        cause: Callable[[Callable[[Any], int]], str],
    ) -> None:
        error = float(np.abs(answers[:, 0].astype(np.float64) - data.labels).mean())
        card = self.card["value"]
        print(f"off by {error:.6f}, the card says {card:.6f}")
        if own and abs(error - card) > TOLERANCE:
            raise CardError(f"these are the card's own test {words.things}; {cause(lambda _: 0)}")
        print("it MATCHES" if own else f"these are other {words.things} than the card's")
