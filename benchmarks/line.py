"""Measures the release line: cold and idle runs, a changed price, equal bytes of two clones, memory
at 10 times the rows.

    make bench-line        about 10 minutes on two cores; writes benchmarks/results/line.json

Everything runs in clones of this repository as it is now, in a temporary folder, with MNIST fetched
once.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import result, write
from duli.base import files
from duli.datasets import mnist
from harness.clone import copy_repository

PACKAGES = ("dvc", "mlflow", "torch", "onnxruntime", "great-expectations", "pyarrow")
SAME = (
    *(f"data/prepared/{name}.parquet" for name in ("train", "validation", "test", "quarantine")),
    "data/prepared/stats.json",
    "models/model.safetensors",
    *(
        f"models/variants/{name}.onnx"
        for name in ("fp32", "fp16", "int8", "int8_dynamic", "narrow_int8")
    ),
)
TIMES = 10  # how much larger the large data set is
DATASET = '''"""MNIST several times over, every copy marked in its first pixels: only to measure memory."""

from duli.datasets.shared.sources import Folder
from duli.datasets.mnist import CLASSES, LICENCE, SHAPE, examples

TITLE = "MNIST several times"
FILES = {files!r}


def sources(local):
    return (Folder(local),)
'''


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        scratch = Path(name)
        raw = _fetched(scratch)
        first, second, third = (
            _clone(scratch / name, raw) for name in ("first", "second", "third")
        )
        cold = [_timed(first, "dvc", "repro"), _timed(second, "dvc", "repro")]
        imports = _import_seconds(third)
        write(
            "line",
            [
                result("cold_repro_s", cold, "s"),
                result(
                    "import_s",
                    [imports],
                    "s",
                    includes="every Python process of one cold dvc repro",
                ),
                *_idle(scratch, first),
                result("price_change_s", [_price_change(first, n) for n in range(3)], "s"),
                *_equal(first, second),
                *_memory(scratch, raw),
            ],
            *PACKAGES,
        )


def _environment(**more: str) -> dict[str, str]:
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DVC_", "MLFLOW_"))
    }
    return {
        **own,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        **more,
    }


def _run(folder: Path, *command: str, **more: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command, cwd=folder, env=_environment(**more), capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(
            f"{' '.join(command)} failed in {folder}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    return done


def _timed(folder: Path, *command: str) -> float:
    start = time.perf_counter()
    _run(folder, *command)
    seconds = time.perf_counter() - start
    print(f"  {folder.name}: {' '.join(command)} {seconds:.1f} s", file=sys.stderr)
    return seconds


def _fetched(scratch: Path) -> Path:
    """A folder with the verified MNIST files."""
    _run(_clone(scratch / "fetch", None), "dvc", "repro", "fetch")
    return scratch / "fetch/data/raw"


def _clone(folder: Path, raw: Path | None) -> Path:
    """A copy of the repository under git; with `raw`, as it is after fetch."""
    copy_repository(folder)
    _run(folder, "git", "init", "-q")
    _run(folder, "git", "add", "-A")
    _run(
        folder,
        "git",
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@localhost",
        "commit",
        "-qm",
        "clone",
    )
    if raw:
        shutil.copytree(raw, folder / "data/raw")
    return folder


def _import_seconds(folder: Path) -> float:
    """Seconds that a cold `dvc repro` and all its stages spend importing, by Python's own
    account.
    """
    told = _run(folder, "dvc", "repro", PYTHONPROFILEIMPORTTIME="1").stderr
    return (
        sum(
            int(microseconds)
            for microseconds in re.findall(r"^import time:\s+(\d+) \|", told, re.MULTILINE)
        )
        / 1e6
    )


def _idle(scratch: Path, line: Path) -> list[dict[str, Any]]:
    """`dvc repro` with nothing to do against that of a pipeline without stages, in turns."""
    empty = scratch / "empty"
    empty.mkdir()
    _run(empty, "git", "init", "-q")
    _run(empty, "dvc", "init", "-q")
    (empty / "dvc.yaml").write_text("stages: {}\n")
    pairs = [(_timed(line, "dvc", "repro"), _timed(empty, "dvc", "repro")) for _ in range(5)]
    return [
        result(
            "noop_s",
            [full - nothing for full, nothing in pairs],
            "s",
            over="an empty pipeline's dvc repro",
        ),
        result("empty_repro_s", [nothing for _, nothing in pairs], "s"),
    ]


def _price_change(line: Path, n: int) -> float:
    """From a changed list price to the new report and release run."""
    prices = line / "data/market/services.csv"
    prices.write_text(
        re.sub(
            r"^(service\.google_cloud_vision),[\d.]+,",
            rf"\1,1.4{n},",
            prices.read_text(),
            flags=re.MULTILINE,
        )
    )
    return _timed(line, "dvc", "repro")


def _equal(first: Path, second: Path) -> list[dict[str, Any]]:
    """How many of the files that have to be equal are not; and the wheel, packed in both with the
    same timings.
    """
    different = [name for name in SAME if files.sha256(first / name) != files.sha256(second / name)]
    shutil.copy(first / "reports/benchmark.json", second / "reports/benchmark.json")
    _run(second, sys.executable, "-m", "stages", "package", PYTHONPATH=".")
    wheels = {files.sha256(next((folder / "dist").glob("*.whl"))) for folder in (first, second)}
    return [
        result("different_files", [len(different)], "files", of=len(SAME), names=different),
        result("different_wheels", [len(wheels) - 1], "files"),
    ]


def _memory(scratch: Path, raw: Path) -> list[dict[str, Any]]:
    """Peak memory of the data stages on MNIST and on a data set ten times as large."""
    large = scratch / "large"
    large.mkdir()
    for name in mnist.FILES:
        _repeat(raw / name, large / name)
    pinned = {
        name: ((large / name).stat().st_size, files.sha256(large / name)) for name in mnist.FILES
    }
    results = []
    for size, dataset, folder in (("70k", "mnist", raw), ("700k", "mnist_times", large)):
        line = _clone(scratch / size, None)
        (line / "duli/datasets/mnist_times.py").write_text(DATASET.format(files=pinned))
        params = (line / "params.yaml").read_text()
        (line / "params.yaml").write_text(
            params.replace("dataset: mnist ", f"dataset: {dataset}\n  local: {folder} ")
        )
        for stage in ("fetch", "prepare", "validate"):
            _run(line, sys.executable, "-m", "stages", stage, PYTHONPATH=".")
            facts = json.loads((line / f"reports/resources/{stage}.json").read_text())
            print(
                f"  {size} {stage}: {facts['peak_mb']:.0f} MB, {facts['seconds']:.1f} s",
                file=sys.stderr,
            )
            results.append(
                result(
                    f"{stage}_peak_mb_{size}", [facts["peak_mb"]], "MB", seconds=facts["seconds"]
                )
            )
        code = (
            "from stages.validate import _examples; frame = _examples();"
            " print(frame.memory_usage(deep=True).sum() / 1e6)"
        )
        frame = float(_run(line, sys.executable, "-c", code, PYTHONPATH=".").stdout)
        results.append(
            result(
                f"validate_frame_mb_{size}",
                [frame],
                "MB",
                what="the table Great Expectations is given",
            )
        )
    return results


def _repeat(source: Path, target: Path) -> None:
    """An IDX file with all examples `TIMES` times; copy k of an image has k in its first two
    pixels' place.
    """
    content = source.read_bytes()
    header = 16 if "images" in source.name else 8
    count = struct.unpack(">I", content[4:8])[0]
    body = np.frombuffer(content, np.uint8, offset=header).reshape(count, -1)
    with target.open("wb") as file:
        file.write(content[:4] + struct.pack(">I", count * TIMES) + content[8:header])
        for copy in range(TIMES):
            marked = body.copy()
            if "images" in source.name:
                marked[:, 0] = copy
            file.write(marked.tobytes())


if __name__ == "__main__":
    main()
