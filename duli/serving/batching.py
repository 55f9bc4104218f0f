"""Joins the examples of many requests into one call of the model, without letting any wait for company.

While the model is busy, requests gather; once it is free, all that have gathered go together. Nobody waits on an idle model, and
the busier the server, the larger its batches, up to as many examples as the model answers within LATENCY_SECONDS.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LATENCY_SECONDS = 0.005  # that a batch of several requests may take
MAX_QUEUED = 4096  # examples that wait for the model; 0.1 s for one core and digits
INLINE_SECONDS = 0.001  # a call this short is made on the event loop: to hand it to a thread and back costs more than it delays
WAIT_SECONDS = 1.0  # after which a request that still waits is given up

Probabilities = NDArray[np.float32]  # [examples, classes]
Outcome = Probabilities | Exception
Inputs = Any  # an array or a list of examples
Call = Callable[[Inputs], Probabilities]


class Overloaded(Exception):  # noqa: N818 -- a state of the server, nobody's error
    """The queue is full, or a request has waited in it for too long."""


class _Item(NamedTuple):
    inputs: Inputs
    done: Callable[[Outcome], None]
    since: float


class Batcher:
    """`call` gives the probabilities of examples; `workers` threads call it. Everything else happens on the event loop.

    `observed` is told of each call's number of examples; `join` makes those of several requests into one.
    """

    def __init__(
        self, call: Call, observed: Callable[[float], None], workers: int = 1, join: Callable[[list[Any]], Inputs] = np.concatenate
    ) -> None:
        self._call, self._observed, self._join, self.idle = call, observed, join, workers
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Item] = deque()
        self._work: SimpleQueue[list[_Item] | None] = SimpleQueue()
        self._scheduled = False
        self.queued = 0  # examples
        self._per_example = LATENCY_SECONDS / 64  # seconds; corrected by every batch
        self._threads = [threading.Thread(target=self._serve, daemon=True, name=f"model-{index}") for index in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, inputs: Inputs, done: Callable[[Outcome], None]) -> None:
        """Lets the model answer `inputs`, n examples; `done` gets the probabilities, or what went wrong.

        Raises `Overloaded` where the queue is full.
        """
        if self.queued + len(inputs) > MAX_QUEUED:
            raise Overloaded
        self.queued += len(inputs)
        self._queue.append(_Item(inputs, done, self._loop.time()))
        if self.idle and not self._scheduled:  # not yet: what else has arrived by now comes along
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def stop(self) -> None:
        """Ends the threads; what is queued is not answered."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _dispatch(self) -> None:
        self._scheduled = False
        while self.idle and self._queue:
            batch = self._batch()
            if not batch:
                continue
            if self._per_example * sum(len(item.inputs) for item in batch) < INLINE_SECONDS:
                self._deliver(batch, *self._called(batch))
                if self._queue and not self._scheduled:  # not at once: what the loop has to read and write comes first
                    self._scheduled = True
                    self._loop.call_soon(self._dispatch)
                return
            self.idle -= 1
            self._work.put(batch)

    def _batch(self) -> list[_Item]:
        """The next requests, as many as are answered in time, and always one."""
        room = max(1, int(LATENCY_SECONDS / self._per_example))
        if self.idle > 1:  # several models share what there is
            room = min(room, -(-self.queued // self.idle))
        latest = self._loop.time() - WAIT_SECONDS
        batch: list[_Item] = []
        while self._queue and (not batch or len(self._queue[0].inputs) <= room):
            item = self._queue.popleft()
            self.queued -= len(item.inputs)
            if item.since < latest:
                item.done(Overloaded())
                continue
            room -= len(item.inputs)
            batch.append(item)
        return batch

    def _serve(self) -> None:
        """A thread of the model."""
        while (batch := self._work.get()) is not None:
            outcome, seconds = self._called(batch)
            try:
                self._loop.call_soon_threadsafe(self._returned, batch, outcome, seconds)
            except RuntimeError:  # the loop has been closed: nobody waits any more
                return

    def _called(self, batch: list[_Item]) -> tuple[Outcome, float]:
        """The model's answer to a batch, and the seconds it took."""
        began = time.perf_counter()
        outcome: Outcome
        try:
            inputs = batch[0].inputs if len(batch) == 1 else self._join([item.inputs for item in batch])
            outcome = self._call(inputs)
        except Exception as error:  # noqa: BLE001 -- it belongs to those who asked
            outcome = error
        return outcome, time.perf_counter() - began

    def _returned(self, batch: list[_Item], outcome: Outcome, seconds: float) -> None:
        """A thread has the answer to a batch; it gets the next before this one is sent out."""
        self.idle += 1
        self._dispatch()
        self._deliver(batch, outcome, seconds)

    def _deliver(self, batch: list[_Item], outcome: Any, seconds: float) -> None:
        size = sum(len(item.inputs) for item in batch)
        self._observed(size)
        self._per_example += 0.1 * (seconds / size - self._per_example)
        start = 0
        for item in batch:
            end = start + len(item.inputs)
            item.done(outcome if isinstance(outcome, Exception) else outcome[start:end])
            start = end
