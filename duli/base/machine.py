"""The hardware, library versions and memory behind a number."""

import math
import os
import platform
import resource
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

# Flags that decide the speed of int8 and bf16 on a CPU; with a VNNI flag, int8 products are summed
# in 32 bits, otherwise in 16.
VNNI = ("avx_vnni", "avx512_vnni")
CPU_FLAGS = (
    "avx2",
    "avx512f",
    *VNNI,
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "i8mm",
    "bf16",
)


def describe(root: Path = Path("/")) -> dict[str, Any]:
    """Hardware of this machine: CPU model, the flags that matter, usable cores, memory in GiB,
    operating system.

    `cores` is how many threads can compute at once. A container may have the time of fewer, or of
    part of one: that quota is in `cpu_quota`, in cores, and bounds `cores`, rounded up. `root` is
    where /proc and /sys are.
    """
    quota = cpu_quota(root)
    return {
        **cpu(root),
        "cores": cores(root),
        **({} if quota is None else {"cpu_quota": round(quota, 3)}),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def cpu(root: Path = Path("/")) -> dict[str, Any]:
    """The CPU's model, and which of `CPU_FLAGS` it has."""
    info = _pairs(root / "proc/cpuinfo")
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in CPU_FLAGS if flag in flags],
    }


def adds_in_16_bits(flags: Iterable[str]) -> bool:
    """Whether a CPU with these of `CPU_FLAGS` truncates sums of int8 products to 16 bits: an x86
    without VNNI.
    """
    return "avx2" in (found := {*flags}) and found.isdisjoint(VNNI)


def cores(root: Path = Path("/")) -> int:
    """Cores this process may use, no more than its CPU quota rounded up; at least 1."""
    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = cpu_quota(root)
    return usable if quota is None else max(1, min(usable, math.ceil(quota)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPU time that control groups allow this process, in cores (0.5: half of one); None if
    nothing limits it.
    """
    return min(_quotas(root), default=None)


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of the installed distributions named."""
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def peak_mb() -> float:
    """The most resident memory this process has had, in MB (10^6 bytes).

    From VmHWM where there is one: `ru_maxrss` also counts the process that started this one, before
    exec.
    """
    for line in _lines("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def available_bytes(root: Path = Path("/")) -> int:
    """Main memory that a new process could still take: what the kernel calls available, and no more
    than its control group leaves.

    `root` is where /proc and /sys are. Where there are none (macOS) it is all the memory there is.
    """
    available = _pairs(root / "proc/meminfo").get("MemAvailable", "").split()
    everything = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(
        0, min([int(available[0]) * 1024 if available else everything, *_left_in_groups(root)])
    )


def _left_in_groups(root: Path) -> Iterator[int]:
    """Bytes left under each limit on this process."""
    for folder in _groups(root, "memory"):
        for limit, used in (
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            ("memory.max", "memory.current"),
        ):
            if (value := "".join(_lines(folder / limit))).isdigit():  # else "max": no limit
                yield int(value) - int(_lines(folder / used)[0]) + _cached(folder)


def _quotas(root: Path) -> Iterator[float]:
    """Cores' worth of time under each CPU quota on this process."""
    for folder in _groups(root, "cpu"):
        # v2 writes both numbers into one file.
        for names in (("cpu.cfs_quota_us", "cpu.cfs_period_us"), ("cpu.max",)):
            numbers = " ".join(line for name in names for line in _lines(folder / name)).split()
            # else "max" or -1: no limit
            if (
                len(numbers) == 2
                and all(number.isdigit() for number in numbers)
                and int(numbers[1])
            ):
                yield int(numbers[0]) / int(numbers[1])


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control group (v1 or v2) for `controller`, and of the groups
    above.
    """
    for line in _lines(root / "proc/self/cgroup") or ("0::/", f"1:{controller}:/"):
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # such as cpu,cpuacct, with or without a link to it
        mounts = dict.fromkeys((controllers, controller)) if controllers else [""]
        for mount in (root / "sys/fs/cgroup" / folder for folder in mounts):
            # The name can be that of the host, and in a container not be there; then only the
            # groups above it are.
            group = mount / name.lstrip("/")
            yield from (group, *group.parents[: len(group.parts) - len(mount.parts)])


def _cached(group: Path) -> int:
    """Bytes of files in memory that the kernel drops before it refuses memory."""
    counts = dict(line.split() for line in _lines(group / "memory.stat"))
    return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def _pairs(path: Path) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in _lines(path) if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _lines(path: str | Path) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
