"""The CPU of this machine, as far as it affects answers and threads."""

import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What decides how products of bytes are added: with one of VNNI in 32 bits, on an x86 without in
# 16.
FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "i8mm")


def cpu(root: Path = Path("/")) -> dict[str, Any]:
    """The CPU's model, and which of `FLAGS` it has; `root` is where /proc and /sys are."""
    pairs = (line.partition(":") for line in _lines(root / "proc/cpuinfo"))
    info = {name.strip(): value.strip() for name, _, value in pairs}
    flags = info.get("flags", info.get("Features", "")).split()
    return {
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in flags],
    }


def named(facts: Mapping[str, Any]) -> str:
    """A CPU in words: "AMD EPYC (avx2)"."""
    return f"{facts['cpu']} ({' '.join(facts['flags']) or 'none of ' + ', '.join(FLAGS)})"


def allowed(root: Path = Path("/")) -> int:
    """Cores whose time control groups (v1 or v2) allow this process, rounded up; 0 where they leave
    it all there are.
    """
    quotas = []
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in dict.fromkeys((controllers, "cpu")) if controllers else [""]:
            mount = root / "sys/fs/cgroup" / folder
            # The name can be that of the host, and in a container not be there; then only the
            # groups above it are.
            group = mount / name.lstrip("/")
            for place in (group, *group.parents[: len(group.parts) - len(mount.parts)]):
                v1 = _lines(place / "cpu.cfs_quota_us") + _lines(place / "cpu.cfs_period_us")
                for numbers in (v1, " ".join(_lines(place / "cpu.max")).split()):
                    if (
                        len(numbers) == 2
                        and all(number.isdigit() for number in numbers)
                        and int(numbers[1])
                    ):
                        quotas.append(int(numbers[0]) / int(numbers[1]))
    least = math.ceil(min(quotas, default=0))
    there = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return least if least < there else 0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
