"""MLflow's way to this model: what `mlflow.pyfunc.load_model` and `mlflow models serve` make of the
registered release.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .bodies import MAX_INPUTS
from .predictor import Predictor


class Model:
    """Answers as the server's /invocations does, by the same code, for any number of examples at
    once.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(
        self, model_input: Any, params: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Label, probability, doubt and the probabilities of all classes for each example, in
        order.

        `model_input` is what MLflow makes of a request (an array, lists, columns by name, a data
        frame), or images as uint8. With `params` {"abstain": True} an unsure answer has no label.
        Raises `InputError` for what the model does not take.
        """
        predictor, kind = self._predictor, self._predictor.kind
        tensor = model_input.get(kind.feed) if isinstance(model_input, dict) else model_input
        if isinstance(tensor, np.ndarray) and tensor.dtype == np.uint8:
            found = [kind.checked(tensor)]
        else:
            found = [kind.invoked(body).inputs for body in _bodies(model_input)]
        abstain = bool(params and params.get("abstain"))
        return [
            self._answer(row, abstain=abstain)
            for inputs in found
            for row in predictor.probabilities(inputs).tolist()
        ]

    def _answer(self, row: list[float], *, abstain: bool) -> dict[str, Any]:
        classes, best = self._predictor.classes, int(np.argmax(row))
        unsure = not row[best] >= self._predictor.threshold
        return {
            "label": None if unsure and abstain else classes[best],
            "probability": round(row[best], 6),
            "abstains": unsure,
            "probabilities": {
                name: round(value, 6) for name, value in zip(classes, row, strict=True)
            },
        }


def _load_pyfunc(path: str) -> Model:
    """What MLflow calls, with the folder of this package beside the registered model."""
    return Model(Predictor(Path(path)))


def _bodies(given: Any) -> Iterator[bytes]:
    """`given` as requests to /invocations, none with more examples than one of them may hold."""
    if hasattr(given, "columns"):  # a data frame of pandas, which this package does not need
        names = list(given.columns)
        frame = {"columns": names} if all(isinstance(name, str) for name in names) else {}
        for rows in _parts(given.to_numpy(object)):
            yield _json({"dataframe_split": {**frame, "data": rows}})
    elif isinstance(given, dict):
        parts = {name: _parts(values) for name, values in given.items()}
        for index in range(max(map(len, parts.values()), default=1)):
            yield _json(
                {
                    "inputs": {
                        name: found[index] for name, found in parts.items() if index < len(found)
                    }
                }
            )
    else:
        for rows in _parts(given):
            yield _json({"inputs": rows})


def _parts(rows: Any) -> list[Any]:
    """`rows` in parts of the examples that one request may hold."""
    if not isinstance(rows, list) and not (isinstance(rows, np.ndarray) and rows.ndim):
        return [rows]
    return [rows[start : start + MAX_INPUTS] for start in range(0, max(len(rows), 1), MAX_INPUTS)]


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(_plain(body)).encode()


def _plain(value: Any) -> Any:
    """`value` for JSON: lists for arrays, Python's numbers for numpy's, null for what is
    missing.
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        value = value.item()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "iub":
        return value.tolist()
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value
