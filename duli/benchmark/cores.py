"""Throughput of the whole machine: one process per core, each with a one-thread session, all at
once.

Processes, like a server's workers: threads of one process wait for the GIL between short calls (a
third of the throughput at batch 1), and a session with several threads waits for the slowest one at
every layer.
"""

import gc
import multiprocessing
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from duli.base.errors import DataError
from duli.benchmark import speed


def affordable(cores: int, bytes_each: float, available_bytes: float) -> int:
    """The number of processes of `bytes_each` that may run: at most one per core, with half of the
    available memory left free.
    """
    return max(1, min(cores, int(available_bytes / 2 / max(bytes_each, 1))))


class Work(NamedTuple):
    """What one process did in one turn."""

    calls: int
    seconds: float
    cpu_seconds: float


def measured(
    models: Mapping[str, bytes], inputs: speed.Inputs, seconds: float, processes: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """The joint throughput of all `processes` by model, in turns; each call gets `inputs` as one
    batch.

    Raises `DataError` if a process ends early.
    """
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(processes)]
    workers = [
        context.Process(target=_work, args=(inner, dict(models), inputs), daemon=True)
        for _, inner in pipes
    ]
    share = seconds / (speed.ROUNDS + 1) / len(models)
    done: dict[str, list[list[Work]]] = {name: [] for name in models}
    order = [*models]
    try:
        for worker, (_, inner) in zip(workers, pipes, strict=True):
            worker.start()
            inner.close()  # closed here, so that the other side sees the end of the process
        for outer, _ in pipes:
            outer.recv()  # its sessions are ready: the time budget starts now
        for warm in speed.rounds(seconds):
            for name in order:
                for outer, _ in pipes:
                    outer.send((name, share))
                works = [outer.recv() for outer, _ in pipes]
                if warm:
                    done[name].append(works)
            order.reverse()
    except (EOFError, OSError):
        raise DataError(
            f"one of {processes} measuring processes ended before its time; look for `out of"
            " memory` in the system's log, free some and run `dvc repro` again"
        ) from None
    finally:
        for outer, _ in pipes:
            outer.close()
        for worker in workers:
            if worker.pid:
                worker.join(5)
                worker.terminate()
    return {name: facts(rounds, len(inputs)) for name, rounds in done.items()}


def facts(rounds: Sequence[Sequence[Work]], batch: int) -> dict[str, dict[str, Any]]:
    """`machine_throughput` and `cpu_us` from the work of all processes in each round.

    `machine_throughput`: examples per second of all processes, median and spread of the rounds; `n`
    counts calls; `cpu_share` is the share of the time in which the processes had their cores.
    `cpu_us`: CPU microseconds per example, the cost of a prediction: on an idle machine it is the
    number of cores over the throughput; on a busy one, other processes' time is not counted.
    """
    works = [work for of_round in rounds for work in of_round]
    rates = [sum(batch * work.calls / work.seconds for work in of_round) for of_round in rounds]
    costs = [
        1e6
        * sum(work.cpu_seconds for work in of_round)
        / sum(batch * work.calls for work in of_round)
        for of_round in rounds
    ]
    calls = sum(work.calls for work in works)
    return {
        "machine_throughput": {
            "value": float(np.median(rates)),
            "spread": speed.spread(rates),
            "n": calls,
            "batch": batch,
            "threads": len(rounds[0]),  # one a process
            "cpu_share": min(
                1.0, sum(work.cpu_seconds for work in works) / sum(work.seconds for work in works)
            ),
        },
        "cpu_us": {"value": float(np.median(costs)), "spread": speed.spread(costs), "n": calls},
    }


def _work(pipe: Connection, models: Mapping[str, bytes], inputs: speed.Inputs) -> None:
    """Calls the requested model for the requested time, until the pipe closes; sends back its
    work.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends it
    calls = {
        name: partial(speed.call(speed.session(model, 1)), inputs) for name, model in models.items()
    }
    gc.disable()
    try:
        pipe.send(None)
        while True:
            name, seconds = pipe.recv()
            turn = speed.turn_of(calls[name], seconds)
            pipe.send(Work(len(turn.calls), float(turn.calls.sum()) / 1000, turn.cpu_ms / 1000))
    except (EOFError, OSError):
        return
