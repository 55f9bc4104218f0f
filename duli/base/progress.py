"""Progress of long work: a bar on a terminal, an occasional plain line elsewhere."""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")

DELAY = 2.0  # seconds before anything is shown: short work needs no bar
PLAIN_EVERY = 10.0  # seconds between plain lines
FACTS_EVERY = 0.5  # seconds between two updates of the facts


def progress(
    items: Iterable[T],
    label: str,
    total: int | None = None,
    unit: str = "it",
    *,
    size: int = 1,
    done: int = 0,
    facts: Callable[[], str] = str,
) -> Iterator[T]:
    """Yields `items`, showing how far they are once that takes over two seconds.

    `total` counts the items where that is known, `done` those of an earlier run among them; `size`
    is how many units one item makes, and `facts` gives what else is worth knowing now.
    """
    total = len(items) if total is None and isinstance(items, Sized) else total
    show = _bar if sys.stderr.isatty() else _lines
    shown = show(label, None if total is None else total * size, unit, done * size, facts)
    next(shown)
    try:
        for count, item in enumerate(items, start=done):
            shown.send(count * size)
            yield item
    finally:
        shown.close()


def _bar(
    label: str, total: int | None, unit: str, done: int, facts: Callable[[], str]
) -> Generator[None, int, None]:
    from tqdm import tqdm

    with tqdm(
        desc=label,
        total=total,
        unit=f" {unit}",
        initial=done,
        delay=DELAY,
        leave=False,
        dynamic_ncols=True,
        unit_scale=True,
    ) as bar:
        looked = time.monotonic()
        while True:
            now = yield
            bar.update(now - int(bar.n))
            if time.monotonic() - looked >= FACTS_EVERY:
                bar.set_postfix_str(facts(), refresh=False)
                looked = time.monotonic()


def _lines(
    label: str, total: int | None, unit: str, done: int, facts: Callable[[], str]
) -> Generator[None, int, None]:
    start = time.monotonic()
    shown = start + DELAY - PLAIN_EVERY
    while True:
        now = yield
        seconds = time.monotonic() - start
        if time.monotonic() - shown < PLAIN_EVERY or now <= done:
            continue
        shown = time.monotonic()
        speed = (now - done) / seconds
        of = f"/{total:,} ({now / total:.0%})" if total else ""
        left = f", about {(total - now) / speed:.0f} s left" if total else ""
        told = facts()
        print(
            f"  {label}: {now:,}{of} {unit}, {speed:,.0f} a"
            f" second{left}{', ' + told if told else ''}",
            file=sys.stderr,
            flush=True,
        )
