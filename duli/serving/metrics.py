"""Counts requests and seconds in Prometheus' text format (0.0.4): a counter and a histogram are few lines, a library is not."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
EXAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
KIND = b"text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Counts by upper bound, with their sum."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: str = "") -> list[str]:
        """Its lines in the text format; `labels` as they stand within the braces."""
        lines, sum_ = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            sum_ += count
            lines.append(f'{name}_bucket{{{labels + "," if labels else ""}le="{bound}"}} {sum_}')
        braces = f"{{{labels}}}" if labels else ""
        return [*lines, f"{name}_sum{braces} {self.total:.9g}", f"{name}_count{braces} {sum_}"]


class Metrics:
    """What a server has done since it started."""

    def __init__(self, name: str, version: str, things: str) -> None:
        self.about = f'name="{name}",version="{version}"'
        self.things = things  # what an example of this release's kind is called
        self.requests: dict[tuple[str, int], int] = {}
        self.seconds: dict[str, Histogram] = {}
        self.batches = Histogram(EXAMPLES)

    def finished(self, route: str, status: int, seconds: float) -> None:
        key = (route, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        if route not in self.seconds:
            self.seconds[route] = Histogram(SECONDS)
        self.seconds[route].observe(seconds)

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> bytes:
        """All of it, with `gauges` by name: what they mean and how much they are now."""
        lines = ["# HELP model_info The released model that answers.", "# TYPE model_info gauge", f"model_info{{{self.about}}} 1"]
        lines += ["# HELP http_requests_total Requests answered.", "# TYPE http_requests_total counter"]
        for (route, status), count in sorted(self.requests.items()):
            lines.append(f'http_requests_total{{route="{route}",status="{status}"}} {count}')
        lines += [
            "# HELP http_request_duration_seconds From the last byte of a request to its answer.",
            "# TYPE http_request_duration_seconds histogram",
        ]
        for route, histogram in sorted(self.seconds.items()):
            lines += histogram.lines("http_request_duration_seconds", f'route="{route}"')
        batch = f"model_batch_{self.things}"
        lines += [f"# HELP {batch} {self.things.capitalize()} in a call of the model.", f"# TYPE {batch} histogram"]
        lines += self.batches.lines(batch)
        for name, (meaning, value) in gauges.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value:g}"]
        return ("\n".join(lines) + "\n").encode()
