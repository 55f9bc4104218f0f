"""What a released wheel answers: its own code, unpacked and asked in a process of its own."""

import subprocess
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import GateError
from duli.packaging.environment import clean
from duli.packaging.kinds import Kind

# Isolated (-I), so that nothing but the standard library, this environment's packages and the wheel
# can be imported.
PROGRAM = """
import importlib, json, sys
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
    with open(file, encoding="utf-8") as lines:
        examples = [json.loads(line)["text"] for line in lines]
labels, probabilities = predictor.predict(examples)
answers = [predictor.classes.index(label) for label in labels]
numpy.savez("answers.npz", answers=answers, probabilities=probabilities, classes=predictor.classes)
"""


class Answered(NamedTuple):
    """What a predictor gives for n examples."""

    answers: NDArray[np.int64]  # [n], index into classes
    probabilities: NDArray[np.float32]  # [n, classes]
    classes: list[str]


def answers(
    wheel: bytes, package: str, kind: Kind, examples: bytes, *, exact: bool = False
) -> Answered:
    """What the wheel's predictor gives for `examples`, a file as `kind.written` makes it.

    `exact` adds products of bytes in 32 bits, as a CPU with VNNI does. The predictor verifies the
    package before it answers. Raises `GateError` where it refuses or fails.
    """
    with tempfile.TemporaryDirectory(prefix="duli-wheel-") as name:
        folder = Path(name)
        with zipfile.ZipFile(BytesIO(wheel)) as archive:
            archive.extractall(folder / "wheel")
        (folder / f"examples{kind.suffix}").write_bytes(examples)
        arguments = [
            str(folder / "wheel"),
            package,
            f"examples{kind.suffix}",
            "exact" if exact else "",
        ]
        command = [sys.executable, "-I", "-B", "-c", PROGRAM, *arguments]
        asked = subprocess.run(
            command, cwd=folder, env=clean(), capture_output=True, text=True, check=False
        )
        if asked.returncode:
            lines = asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"]
            raise GateError(f"the released wheel does not answer: {lines[-1]}")
        found: Any = np.load(folder / "answers.npz")
        return Answered(
            found["answers"].astype(np.int64), found["probabilities"], found["classes"].tolist()
        )
