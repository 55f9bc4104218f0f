"""Times calls of ONNX models and of other contestants, which take turns in short rounds so that a
busy moment hits all.

A turn of one contestant goes through all batches. The order is turned round with each round, so
that nobody always follows the same other.
"""

import gc
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as native

from duli.base.errors import DataError

# that a measurement is made of, after one that only warms up: kernels chosen, memory arena grown;
# the spread is between them
ROUNDS = 10
FEWEST_ROUNDS = 3  # that are finished even where calls are so slow that the budget is over
# a call this many times shorter than its turn is made once untimed first: the caches are still full
# of the one before
LEAD_IN = 5
# what other threads of this process may still take when they count as asleep
SHARE_OF_A_CORE = 0.25
# looks in a row, 2 ms each, that have to find them so: on a shared core a spinning thread has to
# wait now and then
QUIET = 4
ERRORS_ONLY = 3  # as serving/predictor.py
# What onnxruntime raises for bytes that are no model, or none that it can run.
REFUSED = (
    *(
        native.Fail,
        native.InvalidArgument,
        native.InvalidGraph,
        native.InvalidProtobuf,
        native.NoModel,
        native.NoSuchFile,
    ),
    *(native.NotImplemented, native.RuntimeException),
)

Inputs = NDArray[Any]
Call = Callable[[Inputs], object]
K = TypeVar("K", bound=Hashable)


class Turn(NamedTuple):
    """The calls of one contestant in one round."""

    calls: NDArray[np.float64]  # milliseconds of each
    cpu_ms: float  # of all threads of this process meanwhile


def devices(available: Sequence[str]) -> dict[str, list[str]]:
    """onnxruntime's providers for each device that a build with these `available` ones can serve,
    the device's own first.
    """
    cpu = "CPUExecutionProvider"
    return {
        "cpu": [cpu],
        **(
            {"cuda": ["CUDAExecutionProvider", cpu]} if "CUDAExecutionProvider" in available else {}
        ),
    }


def session(
    model: bytes, threads: int, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> onnxruntime.InferenceSession:
    """A session of an ONNX file with `threads` threads and the options of
    duli/serving/predictor.py.

    Raises `DataError` where onnxruntime refuses the file.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(model, options, [*providers])
    except REFUSED as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"onnxruntime cannot load this model ({reason}); make it again: `dvc repro --force"
            " quantize`"
        ) from None


def call(one: onnxruntime.InferenceSession) -> Call:
    """A call as serving/predictor.py makes it."""
    name = one.get_inputs()[0].name
    return lambda inputs: one.run(["logits"], {name: inputs})


def turns(
    contestants: Mapping[K, Call],
    batches: Sequence[Inputs],
    seconds: float,
    rest: Callable[[], None] = lambda: None,
) -> dict[K, dict[int, list[Turn]]]:
    """One turn per round, by contestant and batch size.

    `seconds` is for all of them together; `rest` is called after each turn.
    """
    share = seconds / (ROUNDS + 1) / (len(contestants) * len(batches))
    taken: dict[K, dict[int, list[Turn]]] = {
        name: {len(batch): [] for batch in batches} for name in contestants
    }
    led_in: set[tuple[K, int]] = set()
    order = [*contestants]
    with no_garbage_collection():
        for warm in rounds(seconds):
            for name in order:
                for batch in batches:
                    one = partial(contestants[name], batch)
                    if (name, len(batch)) in led_in:
                        one()
                    turn = turn_of(one, share)
                    if warm:
                        taken[name][len(batch)].append(turn)
                    elif turn.calls[-1] * LEAD_IN < share * 1000:
                        led_in.add((name, len(batch)))
                rest()
            order.reverse()
    return taken


def turn_of(one: Callable[[], object], seconds: float) -> Turn:
    """Calls until `seconds` are over: at least one."""
    before = time.process_time()
    calls = np.fromiter(_timed(one, seconds), np.float64)
    return Turn(calls, (time.process_time() - before) * 1000)


def rounds(seconds: float) -> Iterator[bool]:
    """A round to warm up (False), then `ROUNDS` that count (True), or fewer where `seconds` are
    over.
    """
    end = time.monotonic() + seconds
    yield False
    for done in range(ROUNDS):
        if done >= FEWEST_ROUNDS and time.monotonic() >= end:
            return
        yield True


def until_asleep() -> None:
    """Waits until the other threads of this process sleep, 0.1 seconds at most.

    The threads of an onnxruntime session spin on for about 20 ms after a call, on the cores that
    the next contestant needs.
    """
    quiet = 0
    for _ in range(50):
        before, since = time.process_time(), time.perf_counter()
        time.sleep(0.002)
        asleep = time.process_time() - before < SHARE_OF_A_CORE * (time.perf_counter() - since)
        quiet = quiet + 1 if asleep else 0
        if quiet == QUIET:
            return


def run(taken: Sequence[Turn], batch: int, threads: int, device: str = "cpu") -> dict[str, Any]:
    """One row of the table of runs: percentiles over all calls, median and spread of the throughput
    of the rounds.

    `n` counts calls: the 99th percentile of fewer than a hundred is about their slowest one.
    `cpu_share` is how much of the time the `threads` ran: less than 1 where somebody else wanted
    their cores too, or, of several, where they had nothing to do.
    """
    calls = np.concatenate([turn.calls for turn in taken])
    p50, p95, p99 = np.percentile(calls, [50, 95, 99]).tolist()
    rates = [batch * len(turn.calls) / (turn.calls.sum() / 1000) for turn in taken]
    return {
        "device": device,
        "batch": batch,
        "threads": threads,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "spread": spread(rates),
        "n": len(calls),
        "per_second": float(np.median(rates)),
        "cpu_share": min(1.0, sum(turn.cpu_ms for turn in taken) / float(calls.sum()) / threads),
    }


def latency(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Milliseconds a call of the smallest batch among `runs`: median, 95th and 99th percentile."""
    smallest = min(runs, key=lambda row: int(row["batch"]))
    return {
        "value": smallest["p50_ms"],
        "p95": smallest["p95_ms"],
        "p99": smallest["p99_ms"],
        **{key: smallest[key] for key in ("spread", "n", "threads")},
    }


def at_objective(runs: Sequence[Mapping[str, Any]], slo_ms: float) -> dict[str, Any]:
    """The highest throughput among `runs` whose 99th percentile stays within `slo_ms`; where none
    does, that of the quickest calls.
    """
    within = [row for row in runs if row["p99_ms"] <= slo_ms]
    best = (
        max(within, key=lambda row: float(row["per_second"]))
        if within
        else min(runs, key=lambda row: float(row["p99_ms"]))
    )
    return {
        "value": best["per_second"],
        **{key: best[key] for key in ("spread", "n", "batch", "threads", "p99_ms")},
        "within_slo": bool(within),
    }


def spread(values: Sequence[float]) -> float:
    """Interquartile range over the median: 0.05 says that the middle half lies within 5 %."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float((high - low) / middle)


def _timed(one: Callable[[], object], seconds: float) -> Iterator[float]:
    end = time.perf_counter_ns() + int(seconds * 1e9)
    while True:
        start = time.perf_counter_ns()
        one()
        now = time.perf_counter_ns()
        yield (now - start) / 1e6
        if now >= end:
            return


class no_garbage_collection:  # noqa: N801  (reads as a statement)
    """Python's collector does not run within the block."""

    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()
