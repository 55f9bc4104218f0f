"""Load time and memory of one ONNX file, measured in a fresh process.

`python -m duli.benchmark.probe FILE SHA256 SHAPE TYPE` (of the inputs: JSON, and as numpy calls it)
prints it as JSON; `once` starts that.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from duli.base import files, machine
from duli.base.errors import DataError
from duli.base.outcome import exit_code

CALLS = 3  # the memory arena has its size after the first
CODE = Path(__file__).resolve().parents[2]


def once(path: Path, sha256: str, shape: Sequence[int], dtype: str) -> dict[str, float]:
    """The report of a fresh process that loads the file and calls it with these inputs; raises
    `DataError` with its last line if the file cannot be loaded.
    """
    command = [
        sys.executable,
        "-m",
        "duli.benchmark.probe",
        str(path),
        sha256,
        json.dumps([*shape]),
        dtype,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(CODE)}
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise DataError(f"{path}: {said[-1].removeprefix('probe: error: ')}")
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def summary(probes: Sequence[dict[str, float]], batch: int) -> dict[str, dict[str, Any]]:
    """`load_ms` (from bytes to a ready session) and `peak_mb` of several probes: median, spread, n.

    `peak_mb` is the most resident memory of the whole process, Python and onnxruntime included,
    with calls of `batch` examples; `model_mb` the part of it above the imported runtime.
    """
    import numpy as np

    from duli.benchmark import speed

    columns = {key: [probe[key] for probe in probes] for key in probes[0]}
    facts = {
        key: {"value": float(np.median(values)), "spread": speed.spread(values), "n": len(values)}
        for key, values in columns.items()
    }
    return {
        "load_ms": facts["load_ms"],
        "peak_mb": {**facts["peak_mb"], "model_mb": facts["model_mb"]["value"], "batch": batch},
    }


def _probe() -> None:
    path, sha256, shape, dtype = (
        Path(sys.argv[1]),
        sys.argv[2],
        json.loads(sys.argv[3]),
        sys.argv[4],
    )
    import numpy as np

    from duli.benchmark import speed

    _forget_peak()
    before = machine.peak_mb()
    content = files.verified(path, sha256)
    start = time.perf_counter_ns()
    session = speed.session(content, 1)
    load_ms = (time.perf_counter_ns() - start) / 1e6
    inputs = np.ones(shape, dtype)  # a 0 is padding among tokens
    call = speed.call(session)
    for _ in range(CALLS):
        call(inputs)
    peak = machine.peak_mb()
    print(json.dumps({"load_ms": load_ms, "peak_mb": peak, "model_mb": peak - before}))


def _forget_peak() -> None:
    """Resets VmHWM to the current resident memory (Linux, proc_pid_clear_refs(5)): imports may have
    taken more for a moment.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    sys.exit(exit_code("probe", _probe))
