"""Long work shows that it goes on, in the way of the place where it shows; short work shows
nothing.
"""

import io
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from duli.base import progress as module
from duli.base.progress import progress


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock)
    return clock


def work(clock: Clock, seconds: float, n: int, **options: Any) -> list[int]:
    """`n` items of so many seconds each."""

    def items() -> Iterator[int]:
        for item in range(n):
            yield item
            clock.now += seconds

    return list(progress(items(), "train", **options))


def test_short_work_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert work(clock, 0.19, 10, total=10) == list(range(10))
    assert capsys.readouterr() == ("", "")


def test_long_work_says_a_plain_line_now_and_then(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, 1.0, 33, total=33, unit="files")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "  train: 2/33 (6%) files, 1 a second, about 31 s left",
        "  train: 12/33 (36%) files, 1 a second, about 21 s left",
        "  train: 22/33 (67%) files, 1 a second, about 11 s left",
        "  train: 32/33 (97%) files, 1 a second, about 1 s left",
    ]


def test_units_an_earlier_run_and_facts(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, 0.5, 10, total=110, unit="examples", size=64, done=100, facts=lambda: "loss 0.5")
    # Four items after two seconds: 104 of 110, at the speed of this run and not of the one before.
    assert capsys.readouterr().err.splitlines() == [
        "  train: 6,656/7,040 (95%) examples, 128 a second, about 3 s left, loss 0.5"
    ]


def test_without_a_total_there_is_no_share(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, 1.0, 4)
    assert capsys.readouterr().err == "  train: 2 it, 1 a second\n"


def test_what_has_a_length_needs_no_total(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress([1, 2, 3], "train"):
        clock.now += 2.0
    assert capsys.readouterr().err == "  train: 1/3 (33%) it, 0 a second, about 4 s left\n"


def shown(monkeypatch: pytest.MonkeyPatch, **options: Any) -> str:
    """What a terminal got of 10 items, drawn at every item."""
    terminal = Terminal()
    monkeypatch.setattr(module.sys, "stderr", terminal)
    monkeypatch.setattr(module, "FACTS_EVERY", 0)
    # a second passes whenever the bar looks
    monkeypatch.setattr("tqdm.std.time", itertools.count(1000.0).__next__)
    assert list(progress(range(10), "train", **options)) == list(range(10))
    return terminal.getvalue()


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, unit="files")
    assert re.search(r"train: +90%.*9\.00/10\.0", text)
    assert "files" in text
    assert "\n" not in text
    assert text.rsplit("\r", 2)[-2].strip() == ""


def test_the_bar_counts_units_and_what_was_done_before_and_shows_facts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(
        monkeypatch, total=20, size=100, done=10, unit="examples", facts=lambda: "loss 0.25"
    )
    assert text.startswith("\rtrain:  55%|")
    assert re.search(r"55%.*1\.10k/2\.00k", text)
    assert re.search(r"95%.*1\.90k/2\.00k", text)
    assert "loss 0.25" in text


@pytest.mark.parametrize("terminal", [False, True])
def test_stopping_early_ends_the_work_too(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(module.sys, "stderr", Terminal() if terminal else io.StringIO())
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    for item in progress(items(), "train", total=10):
        if item == 3:
            break
    assert closed == [True]
