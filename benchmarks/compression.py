"""Measures the compressed files of the default line against torch and onnxruntime in float32:
speed, size, accuracy.

    make bench-compression                        all of it, about 6 minutes; writes
    benchmarks/results/compression.json python -m benchmarks.compression PART ...     some of it
    (speed, size, harness, bytes, memory, bits, vnni); the rest of the file stays

Needs the line up to evaluate (`dvc repro evaluate`). Everything runs on one thread, the contestants
take turns, and a ratio is of one run.
"""

import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks.record import Results, result, run_parts
from duli.base import files, kinds
from duli.benchmark import eager, speed
from duli.compression import export, int8, saturation
from duli.kinds.image.learning.inputs import Pixels, example, layouts
from duli.models.shared.restore import restore
from duli.preparation.prepared.parquet import examples
from duli.tasks.classification.comparing.paired import paired
from duli.tasks.classification.comparing.variants import balanced
from duli.tasks.classification.targets.targets import Targets

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5
ROUNDS = 7  # turns of each contestant in a run
SECONDS = 0.25  # of a turn
EMULATED = "Haswell"  # AVX2, no VNNI
# Logits of each file named, to the images in images.npy; for a Python that runs emulated.
PROGRAM = """
import sys
import numpy, onnxruntime
images = numpy.load("images.npy")
for name in sys.argv[1:]:
    session = onnxruntime.InferenceSession(name + ".onnx", providers=["CPUExecutionProvider"])
    numpy.save(name + ".npy", numpy.concatenate([session.run(["logits"], {"images": part})[0] for part in numpy.array_split(images, 20)]))
"""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h

Images = NDArray[np.uint8]


def main() -> None:
    run_parts("compression", PARTS, str(__doc__), "torch", "onnxruntime", "onnx", "numpy")


def speed_ratios() -> Results:
    """Seconds a call of torch eager (as it is by default, and with the channels last) and of
    onnxruntime in float32, over those of the file that ships, by batch.
    """
    images, _ = _split("test")
    shipped = _report("choice")["variant"]
    names = {
        "vs_eager": "torch",
        "vs_eager_channels_last": "torch_channels_last",
        "vs_ort_fp32": "fp32",
    }
    results: Results = []
    for batch in (1, 256):
        runs = [_turns(_contestants(images[:batch])) for _ in range(RUNS)]
        for name, reference in names.items():
            results.append(
                result(
                    f"bs{batch}_{name}",
                    [run[reference] / run[shipped] for run in runs],
                    "times",
                    variant=shipped,
                )
            )
        results.append(
            result(f"bs{batch}_us", [run[shipped] * 1e6 for run in runs], "us", variant=shipped)
        )
    return results


def size() -> Results:
    """Bytes of the float32 file over those of int8 and of the file that ships; and the points that
    this loses on the test split.
    """
    facts, quantization = _report("evaluation"), _report("quantization")
    size = {name: one["bytes"] for name, one in quantization["variants"].items()}
    drop = facts["paired"]["drop_points"]
    return [
        result("size_ratio", [size["fp32"] / size["int8"]], "times", bytes=size),
        result(
            "size_ratio_shipped",
            [size["fp32"] / size[facts["variant"]]],
            "times",
            variant=facts["variant"],
        ),
        result(
            "accuracy_drop_points",
            [drop["value"]],
            "points",
            low=drop["low"],
            high=drop["high"],
            lost=facts["paired"]["lost"],
            won=facts["paired"]["won"],
            images=facts["paired"]["n"],
        ),
    ]


def harness() -> Results:
    """Examples a second that the stage's own measurement finds, over those of a bare loop on the
    file that ships, in turns.
    """
    images, _ = _split("test")
    shipped = _report("choice")["variant"]
    session = speed.session(_variant(shipped), 1)
    results: Results = []
    for name, batch in (
        ("harness_efficiency", images[:64]),
        ("harness_efficiency_bs1", images[:1]),
    ):
        shares = []
        for _ in range(RUNS):
            taken = speed.turns({shipped: speed.call(session)}, [batch], 2.0)[shipped][len(batch)]
            bare = (
                len(batch)
                / _turns({shipped: partial(session.run, ["logits"], {"images": batch})})[shipped]
            )
            shares.append(speed.run(taken, len(batch), 1)["per_second"] / bare)
        results.append(result(name, shares, "share", variant=shipped))
    return results


def same_bytes() -> Results:
    """Files that differ between two exports and two quantizations of the same weights."""
    model, description = _model()
    images, labels = _split("train")
    rows = balanced(labels, 1024, 0)
    before, blank = Pixels(**description["normalisation"]), example(description["input"], 2)
    first, second = (
        [export.to_onnx(model, before.exported(), blank, before.name)] for _ in range(2)
    )
    for made in (first, second):
        made += [int8.quantize(made[0], images[rows], method) for method in int8.METHODS]
    return [
        result(
            "different_files",
            [sum(one != other for one, other in zip(first, second, strict=True))],
            "files",
            of=len(first),
        )
    ]


def memory_kept() -> Results:
    """The ratios to torch at a batch of 256 where freed memory stays with the process.

    By default glibc gives memory of this size back to the system at once, and torch's activations
    (25 MB a layer) are new pages in every call: 3,000 to 6,000 page faults, a fifth to a third of
    torch's time, and what they cost changes from one minute to the next with the machine's
    neighbours. This is why the ratios of `speed` spread as they do. onnxruntime keeps its memory by
    itself.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return []
    for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        assert libc.mallopt(option, 2**30)  # bytes
    images, _ = _split("test")
    shipped = _report("choice")["variant"]
    runs = [_turns(_contestants(images[:256])) for _ in range(RUNS)]
    names = {"vs_eager": "torch", "vs_eager_channels_last": "torch_channels_last"}
    return [
        result(
            f"bs256_{name}_memory_kept",
            [run[reference] / run[shipped] for run in runs],
            "times",
            variant=shipped,
        )
        for name, reference in names.items()
    ]


def bits() -> Results:
    """What weights of 7 bits cost: the file that ships against the one of all 8 that the same
    network gives, exact sums for both.
    """
    shipped, full = _shipped_and_full()
    seven, eight = _variant(shipped), _variant(full)
    images, labels = _split("test")
    answers = {
        name: _exact(content, images).argmax(axis=1)
        for name, content in ((shipped, seven), (full, eight))
    }
    change = paired(answers[full], answers[shipped], labels).points()
    drop = change["drop_points"]
    results = [
        result(
            "saturating_pairs",
            [saturation.pairs(seven)],
            "pairs",
            variant=shipped,
            of_8_bits=saturation.pairs(eight),
        ),
        result(
            "7_bits_drop_points",
            [drop["value"]],
            "points",
            low=drop["low"],
            high=drop["high"],
            lost=change["lost"],
            won=change["won"],
            images=change["n"],
        ),
        result("7_bits_bytes_ratio", [len(seven) / len(eight)], "times"),
    ]
    for batch in (1, 256):
        calls = {
            name: partial(speed.call(speed.session(_variant(name), 1)), images[:batch])
            for name in (shipped, full)
        }
        runs = [_turns(calls) for _ in range(RUNS)]
        results.append(
            result(
                f"bs{batch}_7_vs_8_bits",
                [run[full] / run[shipped] for run in runs],
                "times",
                variant=shipped,
            )
        )
    return results


def without_vnni() -> Results:
    """Test answers of the file that ships that are others on an emulated CPU without VNNI than with
    exact sums.

    The file of all 8 bits is asked as well, which shows that the emulation saturates. One run each:
    it is arithmetic.
    """
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        sys.exit("qemu-x86_64 is missing: apt-get install qemu-user, on x86 Linux")
    images, _ = _split("test")
    shipped, full = _shipped_and_full()
    contents = {name: _variant(name) for name in (shipped, full)}
    with tempfile.TemporaryDirectory(prefix="duli-vnni-") as scratch:
        np.save(f"{scratch}/images.npy", images)
        for name, content in contents.items():
            Path(scratch, f"{name}.onnx").write_bytes(content)
        command = [emulator, "-cpu", EMULATED, sys.executable, "-I", "-c", PROGRAM, *contents]
        # qemu warns of what it cannot emulate
        asked = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        if asked.returncode:
            sys.exit(f"the emulated Python failed: {asked.stderr.strip().splitlines()[-1]}")
        emulated = {name: np.load(f"{scratch}/{name}.npy") for name in contents}
    differ, apart = {}, {}
    for name, content in contents.items():
        exact = _exact(content, images)
        differ[name] = int((exact.argmax(axis=1) != emulated[name].argmax(axis=1)).sum())
        apart[name] = float(np.abs(exact - emulated[name]).max())
    notes = {"cpu": f"qemu-x86_64 -cpu {EMULATED}", "images": len(images), "variant": shipped}
    of_8 = {"of_8_bits": differ[full], "logits_apart_of_8_bits": apart[full]}
    return [
        result(
            "answers_differ_without_vnni",
            [differ[shipped]],
            "answers",
            logits_apart=apart[shipped],
            **of_8,
            **notes,
        )
    ]


def _shipped_and_full() -> tuple[str, str]:
    """The variant that ships, and the one of the same network whose weights have all 8 bits."""
    shipped = _report("choice")["variant"]
    full = f"{shipped}_full"
    if full not in _report("quantization")["variants"]:
        sys.exit(
            f"there is no {full} to compare {shipped} with: add it to quantize.variants, if an int8"
            " ships"
        )
    return shipped, full


def _exact(content: bytes, images: Images) -> NDArray[np.float32]:
    """Logits [n, classes] with products added in 32 bits, which any CPU can, some of them
    slowly.
    """
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    parts = np.array_split(images, 20)
    return np.concatenate([session.run(["logits"], {"images": part})[0] for part in parts])


def _contestants(images: Images) -> dict[str, Callable[[], Any]]:
    """A call of each: from the same raw bytes to logits."""
    model, description = _model()
    calls = eager.calls(layouts(Pixels(**description["normalisation"]), model))
    calls |= {
        name: speed.call(speed.session(_variant(name), 1))
        for name in dict.fromkeys(("fp32", _report("choice")["variant"]))
    }
    return {name: partial(one, images) for name, one in calls.items()}


def _turns(contestants: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds a call of each, the contestants in turns."""
    torch.set_num_threads(1)
    means: dict[str, list[float]] = {name: [] for name in contestants}
    for call in contestants.values():
        for _ in range(10):
            call()
    for _ in range(ROUNDS):
        for name, call in contestants.items():
            calls, began = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - began) < SECONDS:
                call()
                calls += 1
            means[name].append(elapsed / calls)
    return {name: statistics.median(values) for name, values in means.items()}


def _model() -> tuple[torch.nn.Module, dict[str, Any]]:
    description = files.read_json(ROOT / "models/model.json")
    weights = files.verified(
        ROOT / "models" / description["weights"]["file"], description["weights"]["sha256"]
    )
    return restore(description, weights), description


def _variant(name: str) -> bytes:
    facts = _report("quantization")["variants"][name]
    return files.verified(ROOT / "models" / facts["file"], facts["sha256"])


def _report(name: str) -> Any:
    return files.read_json(ROOT / f"reports/{name}.json")


def _split(name: str) -> tuple[Images, NDArray[np.int64]]:
    kind = kinds.prepared(files.read_json(ROOT / "data/prepared/preprocessing.json"))
    targets = Targets.prepared(files.read_json(ROOT / "data/prepared/stats.json"))
    return examples(ROOT / f"data/prepared/{name}.parquet", kind, targets)


PARTS: dict[str, Callable[[], Results]] = {
    "speed": speed_ratios,
    "size": size,
    "harness": harness,
    "bytes": same_bytes,
    "memory": memory_kept,
    "bits": bits,
    "vnni": without_vnni,
}


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
