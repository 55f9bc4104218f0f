"""Names processes so that one can tell later, without a doubt, that one of them is gone: their runs
would stay RUNNING for ever.
"""

import os
import socket
import time
from pathlib import Path

PROC = Path("/proc")


def identity(pid: int | None = None) -> str:
    """`host boot namespace pid start` of a living process, this one by default; text for a tag."""
    pid = os.getpid() if pid is None else pid
    return f"{socket.gethostname()} {_boot()} {_namespace()} {pid} {_start_ticks(pid)}"


def is_gone(name: str) -> bool:
    """Whether the process with that `identity` has certainly ended; False for one that cannot be
    seen from here.
    """
    parts = name.split()
    if len(parts) != 5 or not parts[3].isdigit():
        return False
    host, boot, namespace, pid, start = parts
    if boot != _boot():
        return host == socket.gethostname()  # this machine has been started anew since then
    # A container sees no process of its neighbours, so only those of the same namespace can be
    # judged.
    return namespace == _namespace() and _start_ticks(int(pid)) != start


def started(pid: int) -> float | None:
    """When a process started, as a UNIX time; None if it has ended. Exact to 0.01 s, unlike
    /proc/stat's whole seconds.
    """
    ticks = _start_ticks(pid)
    if not ticks:
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def parent(pid: int) -> int | None:
    """The process that started `pid`; None if there is none."""
    fields = _stat(pid)
    return int(fields[1]) if fields and int(fields[1]) else None


def command(pid: int) -> str:
    """The name of the program that `pid` runs, such as `sh`."""
    path = PROC / str(pid) / "comm"
    return path.read_text().strip() if path.exists() else ""


def _start_ticks(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the program's name, which may itself hold spaces and
    brackets: state, parent, ...
    """
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> str:
    return str((PROC / "self/ns/pid").readlink())
