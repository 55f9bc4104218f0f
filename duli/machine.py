"""Says which hardware, which libraries and how much memory stand behind a number."""

import os
import platform
import resource
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

# What decides the speed of int8 and bf16 on a CPU.
CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "i8mm", "bf16")


def describe() -> dict[str, Any]:
    """Hardware of this machine: CPU model, the flags that matter, usable cores, memory in GiB, operating system."""
    info = _cpuinfo()
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "flags": [flag for flag in CPU_FLAGS if flag in flags],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of the installed distributions named."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


def peak_mb() -> float:
    """The most resident memory this process has had, in MB (10^6 bytes).

    From VmHWM where there is one: `ru_maxrss` also counts the process that started this one, before exec.
    """
    for line in _lines("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def available_bytes(root: Path = Path("/")) -> int:
    """Main memory that a new process could still take: what the kernel calls available, and no more than its control group leaves.

    `root` is where /proc and /sys are. Where there are none (macOS) it is all the memory there is.
    """
    available = _pairs(root / "proc/meminfo").get("MemAvailable", "").split()
    everything = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(0, min([int(available[0]) * 1024 if available else everything, *_left_in_groups(root)]))


def _left_in_groups(root: Path) -> Iterator[int]:
    """Bytes left under each limit on this process: that of its control group (v1 or v2) and those of the groups above."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, name = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        limit, used = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        mount = root / "sys/fs/cgroup" / controllers
        # The name can be that of the host, and in a container not be there; then only the groups above it are.
        group = mount / name.lstrip("/")
        for folder in (group, *group.parents[: len(group.parts) - len(mount.parts)]):
            if (value := "".join(_lines(folder / limit))).isdigit():  # else "max": no limit
                yield int(value) - int(_lines(folder / used)[0]) + _cached(folder)


def _cached(group: Path) -> int:
    """Bytes of files in memory that the kernel drops before it refuses memory."""
    counts = dict(line.split() for line in _lines(group / "memory.stat"))
    return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def _cpuinfo() -> dict[str, str]:
    return _pairs(Path("/proc/cpuinfo"))


def _pairs(path: Path) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in _lines(path) if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _lines(path: str | Path) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
