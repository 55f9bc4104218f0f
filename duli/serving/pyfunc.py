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
        """An object for each example, in order, as /invocations has it.

        `model_input` is what MLflow makes of a request (an array, lists, columns by name, a data
        frame), or examples as bytes: uint8. `params` are what may be wished for. Raises
        `InputError` for what the model does not take.
        """
        predictor, kind, task = self._predictor, self._predictor.kind, self._predictor.task
        tensor = model_input.get(kind.feed) if isinstance(model_input, dict) else model_input
        if isinstance(tensor, np.ndarray) and tensor.dtype == np.uint8:
            found = [kind.checked(tensor)]
        else:
            found = [kind.invoked(body).inputs for body in _bodies(model_input)]
        wish = task.wished(params or {}, task.wish(b""))
        return [said for inputs in found for said in task.objects(predictor.answers(inputs), wish)]


def _load_pyfunc(path: str) -> Model:
    """Loads the model for MLflow, from the folder of this package beside the registered model."""
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
