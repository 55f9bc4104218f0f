"""Counts requests and seconds in Prometheus' text format (0.0.4), over all processes of a server.

Every process counts in a memory of its own, which the others can read: the one that is asked
adds up all.
"""

import mmap
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, TypeAlias

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
EXAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
KIND = b"text/plain; version=0.0.4; charset=utf-8"
MEMORY = 2**17  # bytes that a process counts in
STATUSES = {status.value: index for index, status in enumerate(HTTPStatus)}
STALE_SECONDS = 5.0  # after which a process that has not said how much it has is taken for dead

Numbers: TypeAlias = "memoryview[float]"
Gauges = Mapping[str, tuple[str, Callable[[], float]]]  # name -> what it means, how much it is now


class Memories(NamedTuple):
    """The memory in which this process counts, and those of the others."""

    own: Numbers
    others: Callable[[], Iterable[Numbers]]


def alone() -> Memories:
    """The memory of a server that is one process."""
    return Memories(memoryview(bytearray(MEMORY)).cast("d"), lambda: ())


def forked(processes: int) -> list[Memories]:
    """The memories of processes that will be forked from this one."""
    maps = [memoryview(mmap.mmap(-1, MEMORY)).cast("d") for _ in range(processes)]
    return [Memories(one, partial(_others, maps, one)) for one in maps]


def _others(maps: list[Numbers], own: Numbers) -> list[Numbers]:
    return [one for one in maps if one is not own]


def kept(folder: Path, release: str) -> Memories:
    """The memories of processes that share nothing but a `folder`; the counts of a process that
    ended stay.

    Raises OSError where nothing can be written there.
    """

    def mapped(path: Path) -> Numbers:
        with path.open("r+b") as file:
            return memoryview(mmap.mmap(file.fileno(), MEMORY)).cast("d")

    own = folder / f"{release}-{os.getpid()}.counts"
    if not own.exists():
        whole = own.with_suffix(".new")  # nobody may see it before it has its size
        whole.write_bytes(bytes(MEMORY))
        whole.rename(own)
    return Memories(
        mapped(own),
        lambda: [mapped(path) for path in folder.glob(f"{release}-*.counts") if path != own],
    )


class Histogram:
    """Counts by upper bound, with the sum of what was observed, from `start` on in the memory."""

    def __init__(self, bounds: tuple[float, ...], start: int) -> None:
        self.bounds, self.start, self.total = bounds, start, start + len(bounds) + 1
        self.stop = self.total + 1

    def observe(self, numbers: Numbers, value: float) -> None:
        numbers[self.start + bisect_left(self.bounds, value)] += 1
        numbers[self.total] += value

    def lines(self, numbers: list[float], name: str, labels: str = "") -> list[str]:
        """Its lines in the text format; `labels` as they stand within the braces."""
        lines, sum_ = [], 0
        counts = numbers[self.start : self.total]
        for bound, count in zip((*map(str, self.bounds), "+Inf"), counts, strict=True):
            sum_ += int(count)
            lines.append(f'{name}_bucket{{{labels + "," if labels else ""}le="{bound}"}} {sum_}')
        braces = f"{{{labels}}}" if labels else ""
        return [
            *lines,
            f"{name}_sum{braces} {numbers[self.total]:.9g}",
            f"{name}_count{braces} {sum_}",
        ]


class Metrics:
    """The counters of a server since its start; `routes` are the addresses that it tells apart."""

    def __init__(
        self,
        name: str,
        version: str,
        things: str,
        routes: Iterable[str],
        gauges: Gauges,
        memories: Memories,
    ) -> None:
        self.about = f'name="{name}",version="{version}"'
        self.things = things  # what an example of this release's kind is called
        self.gauges, self.memories, self.numbers = gauges, memories, memories.own
        self.seen = 0  # when this process last said how much it has; its gauges follow
        start = 1 + len(gauges)
        self.requests: dict[str, int] = {}
        self.seconds: dict[str, Histogram] = {}
        self.batches = Histogram(EXAMPLES, start)
        start = self.batches.stop
        for route in sorted({*routes, "other"}):
            self.requests[route] = start
            self.seconds[route] = Histogram(SECONDS, start + len(STATUSES))
            start = self.seconds[route].stop
        self.stop = start
        assert start <= len(self.numbers), "more addresses than MEMORY has room for"

    def finished(self, route: str, status: int, seconds: float) -> None:
        self.numbers[self.requests[route] + STATUSES[status]] += 1
        self.seconds[route].observe(self.numbers, seconds)

    def batch(self, examples: float) -> None:
        self.batches.observe(self.numbers, examples)

    def gauge(self) -> None:
        """Sets the current value of a gauge, for the process that is asked."""
        self.numbers[self.seen] = time.time()
        for index, (_, value) in enumerate(self.gauges.values(), self.seen + 1):
            self.numbers[index] = value()

    def text(self) -> bytes:
        """The metrics of all processes in Prometheus' text format."""
        self.gauge()
        memories = (self.numbers, *self.memories.others())
        rows = [list(one[: self.stop]) for one in memories]
        alive = time.time() - STALE_SECONDS
        for row in rows:
            if row[self.seen] < alive:
                row[self.seen + 1 : self.batches.start] = [0.0] * len(self.gauges)
        numbers = [sum(column, 0.0) for column in zip(*rows, strict=True)]
        lines = [
            "# HELP model_info The released model that answers.",
            "# TYPE model_info gauge",
            f"model_info{{{self.about}}} 1",
            "# HELP http_requests_total Requests answered.",
            "# TYPE http_requests_total counter",
        ]
        for route, start in self.requests.items():
            for status, count in zip(STATUSES, numbers[start:], strict=False):
                if count:
                    lines.append(
                        f'http_requests_total{{route="{route}",status="{status}"}} {count:.0f}'
                    )
        lines += [
            "# HELP http_request_duration_seconds From the last byte of a request to its answer.",
            "# TYPE http_request_duration_seconds histogram",
        ]
        for route, histogram in self.seconds.items():
            if any(numbers[histogram.start : histogram.total]):
                lines += histogram.lines(
                    numbers, "http_request_duration_seconds", f'route="{route}"'
                )
        batch = f"model_batch_{self.things}"
        lines += [
            f"# HELP {batch} {self.things.capitalize()} in a call of the model.",
            f"# TYPE {batch} histogram",
            *self.batches.lines(numbers, batch),
        ]
        for index, (name, (meaning, _)) in enumerate(self.gauges.items(), self.seen + 1):
            lines += [
                f"# HELP {name} {meaning}",
                f"# TYPE {name} gauge",
                f"{name} {numbers[index]:g}",
            ]
        return ("\n".join(lines) + "\n").encode()
