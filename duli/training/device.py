"""Chooses the device and the number format that training computes with."""

from collections.abc import Callable

import torch

from duli.errors import ParamsError

# What an instruction set calls native bfloat16, in the words of torch.cpu.get_capabilities (x86, then Arm).
NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


def choose(wanted: str) -> torch.device:
    """The device for `train.device`; "auto" is CUDA, else MPS, else the CPU. Raises `ParamsError` where it is not there."""
    there: dict[str, Callable[[], bool]] = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}
    if wanted == "auto":
        return torch.device(next(name for name, is_available in there.items() if is_available()))
    if not there[wanted]():
        raise ParamsError(f"train.device = '{wanted}', but torch {torch.__version__} finds no such device here; say auto or cpu")
    return torch.device(wanted)


def precision(wanted: str, device: torch.device) -> torch.dtype:
    """The number format for `train.precision`; "auto" is bfloat16 where the device computes in it, else float32."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float32
    match device.type:
        case "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        case "cpu":
            native = any(torch.cpu.get_capabilities().get(name, False) for name in NATIVE_BFLOAT16)
        case _:
            native = False
    return torch.bfloat16 if native else torch.float32
