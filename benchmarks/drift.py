"""Measures drift on MNIST: false alarms, planted shifts found, and what judging 100,000 rows takes.

    python -m benchmarks.drift                 all of it, about 5 minutes on two cores; its part of
    benchmarks/results/retrain.json python -m benchmarks.drift PART ...        some of it (clean,
    shifts, judge); the rest of the file stays

Needs the line up to quantize (`dvc repro quantize`). Windows are drawn from the train split, which
the reference holds nothing of. The network was fitted to these images, so clean windows look more
like drift than those of new images would.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import ndimage

from benchmarks.record import Results, result, run_parts
from duli.cli import incoming
from duli.kinds.image.reading.examples import Kind
from duli.preparation.prepared.parquet import examples
from duli.retraining import drift
from duli.retraining.drift_params import Drift

ROOT = Path(__file__).resolve().parents[1]
INPUTS = (
    *(
        "data/raw/dataset.json",
        "data/prepared/stats.json",
        "data/prepared/preprocessing.json",
        "data/prepared/validation.parquet",
    ),
    "models/variants/fp32.onnx",
)
SETTINGS = Drift(
    false_alarms=0.02, windows=3, needed=2, min_examples=200, reference=5000, resamples=1000, seed=0
)
WINDOW = 1000  # examples
CLEAN = 200
MORE_CLEAN = 1000  # for a narrower interval
POOL = 5000  # images that the windows of one shift are drawn from
PLANTED = 50  # windows a shift
ROWS = 100_000
RUNS = 3

Images = np.ndarray
Generator = np.random.Generator
Alter = Callable[[Images, Generator], Images]


def _some(share: float, alter: Callable[[Images], Images]) -> Alter:
    """Alters a random share of the images."""

    def altered(images: Images, generator: Generator) -> Images:
        chosen = generator.random(len(images)) < share
        return np.where(chosen[:, None, None, None], alter(images), images)

    return altered


def _grey(images: Images) -> Images:
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


# What is planted, and how much of it. Of pixels:
ALTERED: dict[str, Alter] = {
    "5 % brighter": lambda images, _: _grey(images * 1.05),
    "5 % darker": lambda images, _: _grey(images * 0.95),
    "noise of 5 grey levels": lambda images, generator: _grey(
        images + generator.normal(0, 5, images.shape)
    ),
    "blur of 0.4 pixels": lambda images, _: _grey(
        ndimage.gaussian_filter(images.astype(np.float32), (0, 0, 0.4, 0.4))
    ),
    "1 pixel to the right": lambda images, _: np.roll(images, 1, axis=3),
    "2 pixels down": lambda images, _: np.roll(images, 2, axis=2),
    "turned by 5 degrees": lambda images, _: _grey(
        ndimage.rotate(images.astype(np.float32), 5, axes=(2, 3), reshape=False, order=1)
    ),
    "5 % inverted": _some(0.05, lambda images: 255 - images),
    "5 % half as bright": _some(0.05, lambda images: images // 2),
    "5 % upside down": _some(0.05, lambda images: images[:, :, ::-1]),
}
# And of the classes: how often an image of class 3 is drawn, relative to the others.
DRAWN = {"class 3 without examples": 0.0, "class 3 doubled": 2.0}
# not among the stated sizes: what a window of 1,000 cannot show
SMALLER = {"class 3 halved": 0.5, "class 3 half as many again": 1.5}


def main() -> None:
    run_parts("retrain", PARTS, str(__doc__), "numpy", "scipy", "onnxruntime", "pyarrow")


def clean() -> Results:
    """Share of windows without any drift that fire."""
    known, pool = _known(), _pool(None)
    generator = np.random.default_rng(1)
    fired = [
        drift.judge(
            known, _take(pool, generator.choice(pool.examples, WINDOW, replace=False))
        ).fired
        for _ in range(MORE_CLEAN)
    ]
    notes = {"window": WINDOW, "stated": SETTINGS.false_alarms}
    return [
        result("false_alarms", [float(np.mean(fired[:CLEAN]))], "share", of=CLEAN, **notes),
        result(
            "false_alarms, more windows", [float(np.mean(fired))], "share", of=MORE_CLEAN, **notes
        ),
    ]


def shifts() -> Results:
    """Share of planted shifts that are found, over all and by kind."""
    known, found = _known(), {}
    for name, alter in ALTERED.items():
        found[name] = _found(known, _pool(alter), None)
        print(f"{name}: {found[name]:.0%}", flush=True)
    plain = _pool(None)
    without = drift.Sample(
        plain.features, {"prediction": plain.classes["prediction"]}, plain.embeddings
    )
    smaller = {}
    for name, relative in {**DRAWN, **SMALLER}.items():
        weights = np.where(plain.classes["label"] == 3, relative, 1.0)
        weights /= weights.sum()
        into = found if name in DRAWN else smaller
        into[name], into[f"{name}, no labels"] = (
            _found(known, plain, weights),
            _found(known, without, weights),
        )
        print(
            f"{name}: {into[name]:.0%}, without labels {into[f'{name}, no labels']:.0%}", flush=True
        )
    everything = float(np.mean([*found.values()]))
    return [
        result(
            "drift_recall",
            [everything],
            "share",
            of=PLANTED * len(found),
            window=WINDOW,
            kinds=len(found),
        ),
        *(
            result(f"drift_recall, {name}", [share], "share", of=PLANTED, window=WINDOW)
            for name, share in found.items()
        ),
        *(
            result(f"below the stated size, {name}", [share], "share", of=PLANTED, window=WINDOW)
            for name, share in smaller.items()
        ),
    ]


def judge() -> Results:
    """Seconds and memory of reading, cleaning and judging a file of 100,000 rows, in a process of
    its own, whose reference is there.
    """
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        folder = Path(name)
        for file in INPUTS:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, folder / file)
        _write_rows(folder / incoming.INCOMING / "one.parquet")
        first = _process(folder)  # makes the reference
        runs = []
        for _ in range(RUNS):
            (folder / incoming.FACTS).unlink()
            runs.append(_process(folder))
            print(runs[-1], flush=True)
        again = [_process(folder) for _ in range(RUNS)]
        for file in ("params.yaml", "data/prepared/train.parquet", "data/prepared/test.parquet"):
            shutil.copyfile(ROOT / file, folder / file)
        looks = [_process(folder, _LOOK) for _ in range(RUNS)]
    return [
        result(
            "judge_100k_s",
            [run["seconds"] for run in runs],
            "s",
            rows=ROWS,
            includes="imports, not the interpreter's start",
        ),
        result("judge_100k_cpu_s", [run["cpu_s"] for run in runs], "s", rows=ROWS),
        result(
            "judge_100k_mb",
            [run["mb"] for run in runs],
            "MB",
            rows=ROWS,
            what="peak of the whole process, page included",
        ),
        result(
            "judge_imports_mb",
            [run["imports_mb"] for run in runs],
            "MB",
            what="of these, the interpreter with all it imports",
        ),
        result(
            "judge_first_s",
            [first["seconds"]],
            "s",
            rows=ROWS,
            what="where the reference has to be made as well",
        ),
        result(
            "judge_first_mb",
            [first["mb"]],
            "MB",
            rows=ROWS,
            what="where the reference has to be made as well",
        ),
        result(
            "validate_100k_s",
            [run["seconds"] for run in looks],
            "s",
            rows=ROWS,
            what="the gate before it: rows, and the suite",
        ),
        result(
            "validate_100k_mb",
            [run["mb"] for run in looks],
            "MB",
            rows=ROWS,
            what="peak of the whole process, which imports the suite",
        ),
        result(
            "judge_again_s",
            [run["seconds"] for run in again],
            "s",
            what="the same file, judged before",
        ),
    ]


def _process(folder: Path, code: str = "") -> dict[str, float]:
    shown = subprocess.run(
        [sys.executable, "-c", code or _CODE],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=SETTINGS.model_dump_json(),
        capture_output=True,
        text=True,
        check=True,
    )
    facts: dict[str, float] = json.loads(shown.stdout)
    assert facts["examples"] > 0.99 * ROWS
    return facts


_CODE = """
import json, sys, time
began = time.perf_counter()
from duli.cli import incoming
from duli.base import machine
from duli.retraining.drift_params import Drift
(verdict,) = incoming.judged(Drift.model_validate_json(sys.stdin.read()), sorted(incoming.INCOMING.glob("*.parquet")))
seconds, mb = time.perf_counter() - began, machine.peak_mb()
import subprocess
imports = "import duli.cli.incoming, onnx, onnxruntime, safetensors, scipy.special, scipy.linalg, jinja2, vl_convert, duli.base.machine"
imports += "; print(duli.base.machine.peak_mb())"
alone = float(subprocess.run([sys.executable, "-c", imports], capture_output=True, check=True).stdout)
print(json.dumps({"seconds": seconds, "cpu_s": time.process_time(), "mb": mb, "imports_mb": alone, "examples": verdict.examples}))
"""


_LOOK = """
import json, time
began = time.perf_counter()
from duli.cli import intake
from duli.base import machine
(window,) = intake.look()
examples = window.kept.num_rows + window.refused.num_rows
print(json.dumps({"seconds": time.perf_counter() - began, "mb": machine.peak_mb(), "examples": examples}))
"""


def _write_rows(path: Path) -> None:
    """All 65,106 images of train and test, and as many of them again, shifted, as make 100,000."""
    path.parent.mkdir(parents=True)
    parts = [
        examples(ROOT / f"data/prepared/{split}.parquet", Kind(1, 28, 28))
        for split in ("train", "test")
    ]
    images, labels = (np.concatenate([part[which] for part in parts]) for which in (0, 1))
    rest = ROWS - len(images)
    images = np.concatenate([images, np.roll(images[:rest], 1, axis=3)])
    labels = np.concatenate([labels, labels[:rest]])
    contents = pa.array([image.tobytes() for image in images], pa.binary())
    pq.write_table(pa.table({"content": contents, "label": labels}), path, compression="zstd")


def _found(known: drift.Reference, pool: drift.Sample, weights: np.ndarray | None) -> float:
    generator = np.random.default_rng(2)
    windows = [
        generator.choice(pool.examples, WINDOW, replace=False, p=weights) for _ in range(PLANTED)
    ]
    return float(np.mean([drift.judge(known, _take(pool, rows)).fired for rows in windows]))


def _take(pool: drift.Sample, rows: np.ndarray) -> drift.Sample:
    assert pool.embeddings is not None
    features = {name: values[rows] for name, values in pool.features.items()}
    return drift.Sample(
        features,
        {name: values[rows] for name, values in pool.classes.items()},
        pool.embeddings[rows],
    )


@cache
def _line() -> tuple[incoming.Line, incoming.Network]:
    os.chdir(ROOT)
    of = incoming.line(SETTINGS)
    return of, of.network()


@cache
def _known() -> drift.Reference:
    of, network = _line()
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        incoming.REFERENCE = Path(name) / "drift.safetensors"
        return incoming.reference(of, network, SETTINGS, "")


def _pool(alter: Alter | None) -> drift.Sample:
    """Images of the train split as drift looks at them, altered; all of them are asked and
    embedded. Read as a window is.
    """
    of, network = _line()
    images, labels = examples(ROOT / "data/prepared/train.parquet", of.rules.kind)
    generator = np.random.default_rng(3)
    chosen = generator.permutation(len(images))[: POOL if alter else 4 * POOL]
    images, labels = images[chosen], labels[chosen]
    if alter:
        images = alter(images, generator)
    of = replace(of, drawn=len(images))
    with tempfile.TemporaryDirectory(prefix="duli-bench-") as name:
        path = Path(name) / "pool.parquet"
        pq.write_table(
            pa.table(
                {
                    "content": [image.tobytes() for image in np.ascontiguousarray(images)],
                    "label": labels,
                }
            ),
            path,
        )
        return incoming.read(path, of, network, len(images)).sample


PARTS: dict[str, Callable[[], Results]] = {"clean": clean, "shifts": shifts, "judge": judge}

if __name__ == "__main__":
    main()
