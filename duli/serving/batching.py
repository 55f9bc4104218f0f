"""Joins the examples of many requests into one call of the model; none waits for company.

While the model is busy, requests gather; once it is free, all that have gathered go together.
Nobody waits on an idle model, and the busier the server, the larger its batches, up to as many
examples as the model answers within LATENCY_SECONDS. The queue is measured in seconds of work, not
in requests.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from .task import Answers

LATENCY_SECONDS = 0.005  # that a batch of several requests may take
INLINE_SECONDS = 0.001  # a shorter call is made on the event loop: a thread would cost more time
QUEUE_SECONDS = 0.5  # of work before a request, beyond which it is sent away at once
WAIT_SECONDS = 1.0  # after which a request that waits all the same is given up
MEMORY = 0.9  # of what earlier calls took, with every further call

Outcome: TypeAlias = "Answers | Exception"
Inputs = Any  # an array or a list of examples
Call = Callable[[Inputs], "Answers"]


class Overloaded(Exception):  # noqa: N818 -- a state of the server, nobody's error
    """The model has work for `seconds`, or a request has waited for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Item(NamedTuple):
    inputs: Inputs
    done: Callable[[Outcome], None]
    since: float
    work: float


class Batcher:
    """`call` answers examples; a thread calls it, all else is on the event loop.

    `observed` is told of each call's number of examples; `join` makes those of several requests
    into one; `weigh` says how much work some are, of which a common example is about 1.
    """

    def __init__(
        self,
        call: Call,
        observed: Callable[[float], None],
        join: Callable[[list[Any]], Inputs] = np.concatenate,
        weigh: Callable[[Inputs], float] = len,
    ) -> None:
        self._call, self._observed, self._join, self._weigh = call, observed, join, weigh
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Item] = deque()
        self._work: SimpleQueue[list[_Item] | None] = SimpleQueue()
        self._scheduled = False
        self.queued = 0  # examples
        self._waiting = 0.0  # work of these
        self.running = 0.0  # work that the thread has
        self._work_done, self._seconds = 1.0, LATENCY_SECONDS / 64  # by the calls so far; a guess
        self._thread = threading.Thread(target=self._serve, daemon=True, name="model")
        self._thread.start()

    @property
    def _per_example(self) -> float:
        """Seconds that the model takes for a common one, in batches such as the last ones."""
        return self._seconds / self._work_done

    @property
    def backlog(self) -> float:
        """Seconds of work that a request which comes now finds before it."""
        return (self._waiting + self.running) * self._per_example

    def admit(self) -> None:
        """Raises `Overloaded` unless one more request would be answered in time.

        Only what is before it counts: one that alone is more than QUEUE_SECONDS of work is taken by
        a model that is free. So this can be asked before the request is parsed.
        """
        if self.backlog > QUEUE_SECONDS:
            raise Overloaded(self.backlog)

    def submit(self, inputs: Inputs, done: Callable[[Outcome], None]) -> None:
        """Lets the model answer `inputs`, n examples; `done` gets the answers or an exception."""
        work = self._weigh(inputs)
        self.queued += len(inputs)
        self._waiting += work
        self._queue.append(_Item(inputs, done, self._loop.time(), work))
        if not (self.running or self._scheduled):  # not yet: what else has arrived comes along
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def stop(self) -> None:
        """Ends the thread; queued requests are not answered."""
        self._work.put(None)
        self._thread.join()

    def _dispatch(self) -> None:
        self._scheduled = False
        if self.running or not (batch := self._batch()):
            return
        work = _work(batch)
        if self._per_example * work >= INLINE_SECONDS:
            self.running = work
            self._work.put(batch)
            return
        self._deliver(batch, *self._called(batch))
        if self._queue and not self._scheduled:  # what the loop has to read and write comes first
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def _batch(self) -> list[_Item]:
        """The next requests, as many as are answered in time, and one if there is any."""
        room = max(1.0, LATENCY_SECONDS / self._per_example)
        latest = self._loop.time() - WAIT_SECONDS
        batch: list[_Item] = []
        while self._queue and (not batch or self._queue[0].work <= room):
            item = self._queue.popleft()
            self.queued -= len(item.inputs)
            self._waiting = self._waiting - item.work if self._queue else 0.0
            if item.since < latest:
                item.done(Overloaded(self.backlog))
                continue
            room -= item.work
            batch.append(item)
        return batch

    def _serve(self) -> None:
        """The model's thread."""
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
            inputs = (
                batch[0].inputs if len(batch) == 1 else self._join([item.inputs for item in batch])
            )
            outcome = self._call(inputs)
        except Exception as error:  # noqa: BLE001 -- it belongs to those who asked
            outcome = error
        return outcome, time.perf_counter() - began

    def _returned(self, batch: list[_Item], outcome: Outcome, seconds: float) -> None:
        """The thread has the answer to a batch; it gets the next before this one is sent out."""
        self.running = 0.0
        self._dispatch()
        self._deliver(batch, outcome, seconds)

    def _deliver(self, batch: list[_Item], outcome: Any, seconds: float) -> None:
        self._observed(sum(len(item.inputs) for item in batch))
        self._work_done = MEMORY * self._work_done + _work(batch)
        self._seconds = MEMORY * self._seconds + seconds
        start = 0
        for item in batch:
            end = start + len(item.inputs)
            item.done(outcome if isinstance(outcome, Exception) else outcome[start:end])
            start = end


def _work(batch: list[_Item]) -> float:
    return sum(item.work for item in batch)
