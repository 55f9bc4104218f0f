"""The answers of a released wheel: its own code, unpacked and run in a separate process."""

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import GateError
from duli.packaging.environment import clean
from duli.packaging.product import Answered

# Isolated (-I), so that nothing but the standard library, this environment's packages and the wheel
# can be imported.
PROGRAM = """
import importlib, sys
import numpy, onnxruntime
folder, package, file, exact = sys.argv[1:]
class Exact(onnxruntime.SessionOptions):  # whatever version of the wheel makes its session with it
    def __init__(self):
        super().__init__()
        self.add_session_config_entry("session.x64quantprecision", "1")
if exact:
    onnxruntime.SessionOptions = Exact
sys.path.insert(0, folder)
predictor = importlib.import_module(f"{package}.predictor").Predictor()
if file.endswith(".npy"):
    examples = numpy.load(file)
else:
    examples = predictor.kind.load(file)
numpy.savez("answers.npz", **predictor.predict(examples)._asdict())
"""

# What a predictor gives, of the fields of its prediction and the wheel's release.json.
Read = Callable[[Mapping[str, NDArray[Any]], Mapping[str, Any]], Answered]


class Examples(NamedTuple):
    """A file that a wheel's command takes."""

    content: bytes
    suffix: str


def answers(
    wheel: bytes, package: str, examples: Examples, read: Read, *, exact: bool = False
) -> Answered:
    """The answers of the wheel's predictor to `examples`, as the task's `read` understands them.

    `exact` adds products of bytes in 32 bits, as a CPU with VNNI does. The predictor verifies the
    package before it answers. Raises `GateError` if it refuses or fails.
    """
    with tempfile.TemporaryDirectory(prefix="duli-wheel-") as name:
        folder = Path(name)
        with zipfile.ZipFile(BytesIO(wheel)) as archive:
            archive.extractall(folder / "wheel")
        file = f"examples{examples.suffix}"
        (folder / file).write_bytes(examples.content)
        arguments = [str(folder / "wheel"), package, file, "exact" if exact else ""]
        command = [sys.executable, "-I", "-B", "-c", PROGRAM, *arguments]
        asked = subprocess.run(
            command, cwd=folder, env=clean(), capture_output=True, text=True, check=False
        )
        if asked.returncode:
            lines = asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"]
            raise GateError(f"the released wheel does not answer: {lines[-1]}")
        release = json.loads((folder / "wheel" / package / "release.json").read_bytes())
        with np.load(folder / "answers.npz") as found:
            return read(found, release)
