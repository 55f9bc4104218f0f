"""The model beside this file: images, texts or rows in, labels and probabilities out.

`Predictor()` verifies every file of the package, then `labels, probabilities =
predictor.predict(examples)`; import it from the release's own package, e.g. `from digits.predictor
import Predictor`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from . import kinds, processor
from .errors import ReleaseError
from .integrity import RELEASE, verify

PACKAGE = Path(__file__).resolve().parent
ERRORS_ONLY = 3  # onnxruntime's severities: 2 warning, 3 error


class Prediction(NamedTuple):
    """One answer for each example, in order."""

    labels: list[str]
    probabilities: NDArray[np.float32]  # [n, classes], each row sums to 1


class Predictor:
    """The released model, loaded once and good for any number of calls.

    `threads` bounds the cores a call may use (0: all that a CPU quota leaves). `exact` adds
    products of bytes in 32 bits on every CPU, much slower on some. Raises `IntegrityError` where
    the package is not as released.
    """

    def __init__(self, folder: Path = PACKAGE, threads: int = 0, *, exact: bool = False) -> None:
        self.contents = contents = verify(folder)  # every file of the package, by name
        self.release: dict[str, Any] = json.loads(contents[RELEASE])
        self.classes: list[str] = self.release["classes"]
        # of the softmax; without it the probabilities are not calibrated
        self.temperature: float = self.release["temperature"]
        # of the most probable class; below it the model had better abstain
        self.threshold: float = self.release["threshold"]
        self.kind = kinds.of(self.release, contents)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or processor.allowed()
        if exact:
            options.add_session_config_entry("session.x64quantprecision", "1")
        options.log_severity_level = ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(
            contents[self.release["model"]["file"]], options, ["CPUExecutionProvider"]
        )

    def predict(self, inputs: Any) -> Prediction:
        """The most probable label of each example and the probabilities of all classes.

        Images are pixels 0..255 (uint8) as [n, channels, height, width], or [n, height, width] for
        one channel; texts are a list of strings; rows are numbers as [n, features], NaN where one
        is missing, or a list of dictionaries by the features' names. Raises `InputError` for
        anything else: nothing is scaled, resized or reordered silently.
        """
        probabilities = self.probabilities(self.kind.checked(inputs))
        return Prediction(
            [self.classes[index] for index in probabilities.argmax(axis=1)], probabilities
        )

    def probabilities(self, inputs: Any) -> NDArray[np.float32]:
        """[n, classes] for `inputs`, which have to be as `kind.checked` gives them."""
        probabilities = np.empty((len(inputs), len(self.classes)), np.float32)
        for rows, part in self.kind.parts(inputs):
            (logits,) = self._session.run(["logits"], {self.kind.feed: part})
            probabilities[rows] = _softmax(logits / self.temperature)
        if not np.isfinite(probabilities).all():
            raise ReleaseError(
                "the model answered with a number that is not finite; tell the publisher of this"
                " release, with the input"
            )
        return probabilities


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a difference beyond float32 is -inf, whose power is 0
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
