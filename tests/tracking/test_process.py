import subprocess
import time
from collections.abc import Iterator

import pytest

from duli.tracking.client import process


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        yield sleeper
        sleeper.kill()


def test_a_process_is_gone_once_it_is_killed_even_before_anybody_waits_for_it(
    child: "subprocess.Popen[bytes]",
) -> None:
    name = process.identity(child.pid)
    assert not process.is_gone(name)
    child.kill()
    end = time.monotonic() + 5
    # the kernel takes a moment; a zombie counts as gone
    while not process.is_gone(name) and time.monotonic() < end:
        time.sleep(0.01)
    assert process.is_gone(name)


def test_another_process_with_the_same_id_is_another_process() -> None:
    host, boot, namespace, pid, start = process.identity().split()
    assert process.is_gone(f"{host} {boot} {namespace} {pid} {int(start) - 1}")


def test_a_process_of_an_earlier_boot_of_this_machine_is_gone() -> None:
    host, _, namespace, pid, start = process.identity().split()
    assert process.is_gone(f"{host} another-boot {namespace} {pid} {start}")


def test_what_cannot_be_seen_from_here_is_not_judged() -> None:
    host, boot, namespace, _, start = process.identity().split()
    for name in (
        "",
        "nonsense",
        f"{host} {boot} pid:[1] 999999 {start}",
        f"other another-boot {namespace} 999999 {start}",
    ):
        assert not process.is_gone(name)


def test_when_a_process_started_and_by_whom(child: "subprocess.Popen[bytes]") -> None:
    started = process.started(child.pid)
    assert started is not None
    assert abs(time.time() - started) < 2
    assert process.parent(child.pid) == process.os.getpid()
    assert process.command(child.pid) in ("sleep", "pytest", "python")
    assert process.started(2**22 + 1) is None
