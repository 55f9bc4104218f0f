"""Counts properties of a served model's inputs and keeps no input: `serve --statistics FILE`, for a
later drift test.

Of each image the mean, standard deviation, smallest and largest pixel are rounded down to whole
grey levels and counted, and the name answered where answers have names. The file is written whole
or not at all, every minute and at the end; a server that finds it goes on counting.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...predictor import PACKAGE, Predictor

FORMAT = "statistics of inputs, 1"
LEVELS = 256  # grey levels of a pixel
EVERY = 60.0  # seconds between two writings
FEATURES = ("mean", "std", "min", "max")


class Counting(Predictor):
    """A model that counts its inputs; any number of threads may call it."""

    def __init__(self, folder: Path = PACKAGE, threads: int = 0) -> None:
        super().__init__(folder, threads)
        self._lock = threading.Lock()
        self.features = {name: np.zeros(LEVELS, np.int64) for name in FEATURES}
        self.predictions = np.zeros(len(self.task.names), np.int64)

    def answers(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The model's answers; counts the images once they are answered."""
        answers = super().answers(batch)
        pixels = batch.reshape(len(batch), -1)
        # Sums of integers, as `prepare` takes them: rounding down must not depend on the order.
        means = pixels.sum(axis=1, dtype=np.int64) / pixels.shape[1]
        squares = np.square(pixels, dtype=np.uint16).sum(axis=1, dtype=np.int64) / pixels.shape[1]
        deviations = np.sqrt(squares - means**2).astype(np.float32)
        found = dict(
            zip(
                FEATURES,
                (means.astype(np.float32), deviations, pixels.min(axis=1), pixels.max(axis=1)),
                strict=True,
            )
        )
        with self._lock:
            for name, values in found.items():
                self.features[name] += np.bincount(values.astype(np.int64), minlength=LEVELS)
            if named := len(self.task.names):
                self.predictions += np.bincount(self.task.chosen(answers), minlength=named)
        return answers

    @contextlib.contextmanager
    def kept(self, path: Path) -> Iterator[None]:
        """Keeps the counts in `path` while the block runs; raises `InputError` if it cannot be
        written, or is something else.
        """
        self._go_on(path)
        self._write(path)
        stop = threading.Event()
        thread = threading.Thread(target=self._regularly, args=(path, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._write(path)

    def _regularly(self, path: Path, stop: threading.Event) -> None:
        while not stop.wait(EVERY):
            try:
                self._write(path)
            except InputError as error:  # answers matter more
                print(error, file=sys.stderr, flush=True)

    def _facts(self) -> dict[str, Any]:
        with self._lock:
            features = {name: counts.tolist() for name, counts in self.features.items()}
            predictions = self.predictions.tolist()
        about = {
            "name": self.release["name"],
            "version": self.release["version"],
            "classes": self.task.names,
        }
        return {"format": FORMAT, **about, "features": features, "predictions": predictions}

    def _write(self, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(json.dumps(self._facts()) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InputError(
                f"{path}: the statistics cannot be written ({error.strerror}); make room, or name"
                " another file"
            ) from None

    def _go_on(self, path: Path) -> None:
        """Takes over the counts that an earlier server of this release has kept."""
        if not path.exists():
            return
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            own = self._facts()
            if any(facts[key] != own[key] for key in ("format", "name", "version", "classes")):
                raise InputError(f"{path} holds statistics of another release; name another file")
            features = {
                name: np.array(facts["features"][name], np.int64).reshape(LEVELS)
                for name in FEATURES
            }
            predictions = np.array(facts["predictions"], np.int64).reshape(len(self.task.names))
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}); name another file"
            ) from None
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{path} is there already and holds no statistics of a server; name another file"
            ) from None
        self.features, self.predictions = features, predictions
