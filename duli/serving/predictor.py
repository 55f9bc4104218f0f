"""The model beside this file: examples in, answers out.

`Predictor()` verifies every file of the package, then `predictor.predict(examples)` answers; import
it from the release's own package, e.g. `from digits.predictor import Predictor`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from . import kind, processor, task
from .errors import ReleaseError
from .integrity import RELEASE, verify
from .task import Answers

PACKAGE = Path(__file__).resolve().parent
OUTPUT = "logits"  # of the ONNX file
ERRORS_ONLY = 3  # onnxruntime's severities: 2 warning, 3 error


class Predictor:
    """The released model, loaded once and good for any number of calls.

    `threads` bounds the cores a call may use (0: all that a CPU quota leaves). `exact` adds
    products of bytes in 32 bits on every CPU, much slower on some. Raises `IntegrityError` if
    the package is not as released.
    """

    def __init__(self, folder: Path = PACKAGE, threads: int = 0, *, exact: bool = False) -> None:
        self.contents = contents = verify(folder)  # every file of the package, by name
        self.release: dict[str, Any] = json.loads(contents[RELEASE])
        self.kind = kind.of(self.release, contents)
        self.task = task.of(self.release)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or processor.allowed()
        if exact:
            options.add_session_config_entry("session.x64quantprecision", "1")
        options.log_severity_level = ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(
            contents[self.release["model"]["file"]], options, ["CPUExecutionProvider"]
        )

    def predict(self, inputs: Any) -> Any:
        """The answer to each example, in order; the card says what it has.

        `inputs` are as `kind.checked` takes them, whose text says how. Raises `InputError` for
        anything else: nothing is scaled, resized or reordered silently.
        """
        return self.task.prediction(self.answers(self.kind.checked(inputs)))

    def answers(self, inputs: Any) -> Answers:
        """[n, width of an answer] for `inputs`, which have to be as `kind.checked` gives them."""
        answers = np.empty((len(inputs), self.task.width), np.float32)
        for rows, part in self.kind.parts(inputs):
            (outputs,) = self._session.run([OUTPUT], {self.kind.feed: part})
            answers[rows] = self.task.answers(outputs)
        if not np.isfinite(answers).all():
            raise ReleaseError(
                "the model answered with a number that is not finite; tell the publisher of this"
                " release, with the input"
            )
        return answers
