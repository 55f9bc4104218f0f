"""The model beside this file: images in, labels and probabilities out.

`Predictor()` verifies every file of the package, then `labels, probabilities = predictor.predict(images)`; import it from
the release's own package, e.g. `from digits.predictor import Predictor`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .errors import InputError, ReleaseError
from .integrity import RELEASE, verify

BATCH = 256  # images given to the model at once: bounds memory whatever the number of images
PACKAGE = Path(__file__).resolve().parent
ERRORS_ONLY = 3  # onnxruntime's severities: 2 warning, 3 error


class Prediction(NamedTuple):
    """One answer for each image, in order."""

    labels: list[str]
    probabilities: NDArray[np.float32]  # [images, classes], each row sums to 1


class Predictor:
    """The released model, loaded once and good for any number of calls.

    `threads` bounds the cores a call may use (0: all). Raises `IntegrityError` where the package is not as released.
    """

    def __init__(self, folder: Path = PACKAGE, threads: int = 0) -> None:
        self.contents = contents = verify(folder)  # every file of the package, by name
        self.release: dict[str, Any] = json.loads(contents[RELEASE])
        self.classes: list[str] = self.release["classes"]
        self.temperature: float = self.release["temperature"]  # of the softmax; without it the probabilities are not calibrated
        self.threshold: float = self.release["threshold"]  # of the most probable class; below it the model had better abstain
        size = self.release["input"]
        self.shape: tuple[int, int, int] = (size["channels"], size["height"], size["width"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(contents[self.release["model"]["file"]], options, ["CPUExecutionProvider"])

    def predict(self, images: NDArray[np.uint8]) -> Prediction:
        """The most probable label of each image and the probabilities of all classes.

        `images` are pixels 0..255 (uint8) as [n, channels, height, width], or [n, height, width] for one channel.
        Raises `InputError` for anything else: nothing is cast, scaled, resized or reordered silently.
        """
        probabilities = self.probabilities(self.checked(images))
        return Prediction([self.classes[index] for index in probabilities.argmax(axis=1)], probabilities)

    def probabilities(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[n, classes] for `batch`, which has to be contiguous and of the model's shape."""
        probabilities = np.empty((len(batch), len(self.classes)), np.float32)
        for start in range(0, len(batch), BATCH):
            (logits,) = self._session.run(["logits"], {"images": batch[start : start + BATCH]})
            probabilities[start : start + BATCH] = _softmax(logits / self.temperature)
        if not np.isfinite(probabilities).all():
            raise ReleaseError("the model answered with a number that is not finite; tell the publisher of this release, with the input")
        return probabilities

    def checked(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`images` as the model takes them; raises `InputError`."""
        channels, height, width = self.shape
        expected = f"[n, {channels}, {height}, {width}]" + (f" or [n, {height}, {width}]" if channels == 1 else "")
        if not isinstance(images, np.ndarray):
            raise InputError(f"the images are a {type(images).__name__}; give a numpy array of uint8, {expected}")
        if images.dtype != np.uint8:
            raise InputError(wrong_type(str(images.dtype)))
        batch = images[:, None] if channels == 1 and images.ndim == 3 else images
        if batch.shape[1:] != self.shape:
            raise InputError(f"the images have the shape {list(images.shape)}, the model takes {expected}{self._hint(images)}")
        if not len(batch):
            raise InputError(f"there is no image in it (shape {list(images.shape)}); give at least one")
        return np.ascontiguousarray(batch)

    def _hint(self, images: NDArray[np.uint8]) -> str:
        channels, height, width = self.shape
        if images.shape == (self.shape if channels > 1 else (height, width)):
            return "; this is one image without a batch: give images[None]"
        if images.shape[1:] == (height, width, channels):
            return "; the channels stand last: give images.transpose(0, 3, 1, 2)"
        return "; resize and crop before, as the training data was"


def wrong_type(dtype: str) -> str:
    """What to say of pixels that are not uint8."""
    remedy = {
        "f": "if they are 0..1, give (images * 255).round().astype('uint8')",
        "b": "give images.astype('uint8') * 255",
        "i": "if they are 0..255, give images.astype('uint8')",
        "u": "if they are 0..255, give images.astype('uint8')",
    }.get(dtype[:1], "give an array of uint8")
    return f"the pixels are {dtype}, the model takes uint8, 0..255; {remedy}"


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
