"""Kills trainings at random moments and compares what they end with: bit for bit what one that was
never killed ends with.

PyTorch is imported once, and every attempt is a fork, so that two hundred kills take minutes.
"""

import hashlib
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.recipes import Data, build, load
from benchmarks.record import result
from duli.base import files
from duli.training import checkpoint
from duli.training.checkpoint import State
from duli.training.feed import Examples
from duli.training.loop import fit

KILLS = 200
CONTROLS = 5
# Small, and with everything that has a state: dropout, averaged weights, augmentation, the hardest
# examples again.
SETTINGS = {
    "model.fastconv.stem": 8,
    "model.fastconv.blocks": [[16], [16]],
    "model.fastconv.dropout": 0.2,
    "train.epochs": 4,
    "train.ema": 0.95,
    "train.checkpoint": {"steps": 3, "minutes": None},
}
ROWS = 4096


def measure() -> list[dict[str, Any]]:
    """Kills over random steps; then the same with the random states left out of every checkpoint,
    which has to show.
    """
    torch.set_num_threads(1)  # a fork of a process with more threads would hang
    whole = load()
    data = whole._replace(
        train=Examples(*(column[:ROWS] for column in whole.train)),
        validation=Examples(*(column[:500] for column in whole.validation)),
    )
    chance = random.Random(0)  # noqa: S311 -- moments to kill at
    with tempfile.TemporaryDirectory(prefix="duli-kills-") as name:
        folder = Path(name)
        start = time.monotonic()
        _attempt(data, folder / "unkilled", keep_random_states=True)
        seconds, wanted = time.monotonic() - start, (folder / "unkilled.sha256").read_bytes()
        done, equal, runs = 0, 0, 0
        while done < KILLS:
            runs += 1
            done += _killed(
                data,
                folder / f"run-{runs}",
                lambda: chance.uniform(0.05, 0.6) * seconds,
                keep_random_states=True,
            )
            equal += (folder / f"run-{runs}.sha256").read_bytes() == wanted
        different = 0
        for control in range(CONTROLS):
            # Late enough that there is a checkpoint to go on from.
            _killed(
                data,
                folder / f"control-{control}",
                lambda: chance.uniform(0.4, 0.6) * seconds,
                keep_random_states=False,
            )
            different += (folder / f"control-{control}.sha256").read_bytes() != wanted
    return [
        result("resume_kills", [float(done)], "kills", runs=runs, runs_bit_identical=equal),
        result(
            "resume_control",
            [float(different)],
            "runs",
            of=CONTROLS,
            means="other weights, with the random states left out",
        ),
    ]


def _killed(
    data: Data, place: Path, moments: Callable[[], float], *, keep_random_states: bool
) -> int:
    """Starts a training again and again, and kills it each time at a random moment, until one gets
    to its end; gives the kills.
    """
    kills = 0
    while True:
        child = os.fork()
        if child == 0:
            try:
                _attempt(data, place, keep_random_states=keep_random_states)
            finally:
                os._exit(0)
        # At most nine kills a training, or one with bad luck would never end.
        if kills < 9:
            time.sleep(moments())
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills += 1
        else:
            return kills


def _attempt(data: Data, place: Path, *, keep_random_states: bool) -> None:
    """One training, from the checkpoint at `place` if there is one; leaves the digest of its
    weights.
    """
    model, training = build(data, SETTINGS)
    kept = place.with_suffix(".safetensors")
    state = checkpoint.unpack(kept.read_bytes()) if kept.exists() else None
    if state is not None and not keep_random_states:
        fresh = {
            "generator": torch.Generator().manual_seed(training.seed).get_state(),
            "rng:0": torch.Generator().manual_seed(1).get_state(),
        }
        state = State(state.values, {**state.tensors, **fresh})
    fit(
        model,
        data.train,
        data.validation,
        training,
        **data.fitting(training),
        device=torch.device("cpu"),
        precision=torch.float32,
        on_metrics=lambda step, metrics: None,
        on_checkpoint=lambda content: files.write_bytes(kept, content),
        resume=state,
    )
    weights = b"".join(
        value.contiguous().numpy().tobytes() for value in checkpoint.weights(model).values()
    )
    files.write_text(place.with_suffix(".sha256"), hashlib.sha256(weights).hexdigest())
