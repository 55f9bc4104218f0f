"""Latency and throughput of ONNX models through onnxruntime, the variants interleaved so that a busy moment hits all."""

import gc
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

ROUNDS = 10  # interleaved slices of time a measurement is made of; the spread is between them
WARM_UP = 20  # calls before anything is timed: kernels chosen, memory arena grown
LOADS = 5


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A CPU session of an ONNX file with `threads` threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def load_ms(model: bytes) -> dict[str, Any]:
    """Milliseconds from bytes to a ready session: median and spread of a few loads."""
    times = []
    for _ in range(LOADS):
        start = time.perf_counter_ns()
        session(model, 1)
        times.append((time.perf_counter_ns() - start) / 1e6)
    return {"value": float(np.median(times)), "spread": _spread(times), "n": len(times)}


def calls_ms(
    sessions: dict[str, onnxruntime.InferenceSession], images: NDArray[np.uint8], seconds: float
) -> dict[str, list[NDArray[np.float64]]]:
    """Milliseconds of each call on `images` (one batch), by session name, one array a round.

    The sessions take turns within each round; `seconds` is for all of them together.
    """
    for one in sessions.values():
        for _ in range(WARM_UP):
            one.run(None, {"images": images})
    rounds: dict[str, list[NDArray[np.float64]]] = {name: [] for name in sessions}
    with _no_garbage_collection():
        for _ in range(ROUNDS):
            for name, one in sessions.items():
                call = partial(one.run, None, {"images": images})
                rounds[name].append(np.fromiter(_timed(call, seconds / ROUNDS / len(sessions)), np.float64))
    return rounds


def latency(rounds: list[NDArray[np.float64]]) -> dict[str, Any]:
    """Median, 95th and 99th percentile over all calls in milliseconds; spread between the rounds' medians."""
    calls = np.concatenate(rounds)
    p50, p95, p99 = np.percentile(calls, [50, 95, 99]).tolist()
    return {"value": p50, "p95": p95, "p99": p99, "spread": _spread([float(np.median(one)) for one in rounds]), "n": len(calls)}


def throughput(rounds: list[NDArray[np.float64]], batch: int) -> dict[str, Any]:
    """Examples a second: median and spread of the rounds' rates; `n` counts calls."""
    rates = [batch * len(one) / (one.sum() / 1000) for one in rounds]
    return {"value": float(np.median(rates)), "spread": _spread(rates), "n": sum(len(one) for one in rounds), "batch": batch}


def _spread(values: list[float]) -> float:
    """Interquartile range over the median: 0.05 says that the middle half lies within 5 %."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float((high - low) / middle)


def _timed(call: Callable[[], Any], seconds: float) -> Iterator[float]:
    end = time.perf_counter_ns() + int(seconds * 1e9)
    while True:
        start = time.perf_counter_ns()
        call()
        now = time.perf_counter_ns()
        yield (now - start) / 1e6
        if now >= end:
            return


class _no_garbage_collection:  # noqa: N801  (reads as a statement)
    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()
