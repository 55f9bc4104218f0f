"""Shows that long work goes on: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")

DELAY = 2.0  # seconds before anything is shown: short work needs no bar
PLAIN_EVERY = 10.0  # seconds between plain lines


def progress(items: Iterable[T], label: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yields `items`, showing how far they are once that takes over two seconds; `total` counts items if known."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=label, total=total, unit=unit, delay=DELAY, leave=False, dynamic_ncols=True)
        return
    start = time.monotonic()
    shown = start + DELAY - PLAIN_EVERY
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - shown >= PLAIN_EVERY and done:
            of = f"/{total} ({done / total:.0%})" if total else ""
            left = f", about {(now - start) / done * (total - done):.0f} s left" if total else ""
            print(f"  {label}: {done}{of} {unit}{left}", file=sys.stderr, flush=True)
            shown = now
        yield item
