"""Says which hardware, which libraries and how much memory stand behind a number."""

import os
import platform
import resource
import sys
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


def _cpuinfo() -> dict[str, str]:
    pairs = (line.split(":", 1) for line in _lines("/proc/cpuinfo") if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
