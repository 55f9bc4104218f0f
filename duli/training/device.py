"""Chooses the device and the precision of training."""

import os
from collections.abc import Callable

import torch

from duli.base.errors import ParamsError

# CPU capabilities that mean native bfloat16, as named by torch.cpu.get_capabilities (x86, then
# Arm).
NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose(wanted: str, local_rank: int = 0) -> torch.device:
    """The device for `train.device`; "auto" is CUDA, else MPS, else the CPU. Raises `ParamsError`
    if the device is not available.

    `local_rank` is the number of this process on its machine; each process uses one GPU.
    """
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    name = (
        next(name for name, is_available in there.items() if is_available())
        if wanted == "auto"
        else wanted
    )
    if not there[name]():
        raise ParamsError(
            f"train.device = '{wanted}', but torch {torch.__version__} finds no such device here;"
            " say auto or cpu"
        )
    if name != "cuda":
        return torch.device(name)
    if local_rank >= torch.cuda.device_count():
        raise ParamsError(
            f"{local_rank + 1} or more processes on a machine with {torch.cuda.device_count()}"
            " GPUs; lower PET_NPROC_PER_NODE"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def precision(wanted: str, device: torch.device) -> torch.dtype:
    """The dtype for `train.precision`; "auto" is bfloat16 where the device supports it natively,
    else float32.
    """
    if wanted != "auto":
        return PRECISIONS[wanted]
    match device.type:
        case "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        case "cpu":
            native = any(torch.cpu.get_capabilities().get(name, False) for name in NATIVE_BFLOAT16)
        case _:
            native = False
    return torch.bfloat16 if native else torch.float32


def repeatable(device: torch.device, wanted: bool) -> bool:
    """Switches on deterministic GPU kernels if asked for; returns whether the run is deterministic.
    A run on the CPU always is.
    """
    if device.type == "cpu":
        return True
    if wanted:
        # read when cuBLAS starts; torch refuses deterministic mode without it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = not wanted
    return wanted


def free_bytes(device: torch.device) -> int | None:
    """Free memory of a GPU in bytes; None for other devices, which use main memory."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
