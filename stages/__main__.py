"""`python -m stages NAME` runs one stage of the release line in the current folder; without a name
it lists the stages.

Common to all stages: params are checked first, a user's mistake prints one line and exits with code
2, the stage ends with the `dvc repro` that started it, and its time, memory and device go to
reports/resources/NAME.json.
"""

import ast
import ctypes
import importlib
import os
import signal
import sys
import time
from pathlib import Path

import duli
from duli.base import files, machine
from duli.base.errors import EXIT_USER_ERROR, DuliError
from duli.base.outcome import exit_code

STAGES = (
    "fetch",
    "prepare",
    "validate",
    "train",
    "quantize",
    "benchmark",
    "evaluate",
    "package",
    "report",
    "track",
)
# No telemetry. OpenMP's idle threads sleep: spinning, they used ten times the CPU on a busy
# machine.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
}

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Runs the stage named in `arguments`; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            "usage: python -m stages NAME, in the folder of a release line (it holds params.yaml)\n"
        )
        for name in STAGES:
            print(f"  {name:<10} {purpose(name)}")
        return 0
    name, *rest = arguments
    if name not in STAGES or rest:
        print(f"no stage '{' '.join(arguments)}'; known: {', '.join(STAGES)}", file=sys.stderr)
        return EXIT_USER_ERROR
    return exit_code(name, lambda: _run(name))


def _run(name: str) -> None:
    _die_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for switch, value in ENVIRONMENT.items():
        os.environ.setdefault(switch, value)
    # torch would start one thread per core of the host, and all would compete
    if machine.cpu_quota() is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(machine.cores()))
    _same_copy()
    from stages import sections

    sections.check(Path("params.yaml"))
    started = time.time()
    extra = importlib.import_module(f"stages.{name}").main() or {}
    files.write_json(
        f"reports/resources/{name}.json",
        {
            "stage": name,
            "started": started,
            "seconds": time.time() - started,
            "cpu_seconds": time.process_time(),
            "peak_mb": machine.peak_mb(),
            "device": "cpu",
            "hardware": machine.describe(),
            **extra,
        },
    )


def _die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends: a killed `dvc repro` must not
    leave a process that writes files.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _same_copy() -> None:
    """Raises an error if the stages of one copy of the repository would run with the library of
    another (queued experiments are copies).
    """
    stages_root, library_root = (
        Path(__file__).resolve().parents[1],
        Path(str(duli.__file__)).resolve().parents[1],
    )
    if stages_root != library_root:
        raise DuliError(
            f"the stages are in {stages_root} but `duli` is imported from {library_root}; start"
            " from one copy"
        )


def purpose(name: str) -> str:
    """The first paragraph of a stage's docstring, read without importing the stage."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").split("\n\n", 1)[0].replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
