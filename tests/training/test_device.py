"""The device is there, or the user is told; the precision is one the device computes in."""

import pytest
import torch

from duli.base.errors import ParamsError
from duli.training import device


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with neither GPU nor native bfloat16, until a test gives it some."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False})
    return monkeypatch


def test_auto_takes_the_best_there_is(machine: pytest.MonkeyPatch) -> None:
    assert device.choose("auto").type == "cpu"
    machine.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device.choose("auto").type == "mps"
    machine.setattr(torch.cuda, "is_available", lambda: True)
    machine.setattr(torch.cuda, "device_count", lambda: 2)
    machine.setattr(torch.cuda, "set_device", lambda index: None)
    assert device.choose("auto", local_rank=1) == torch.device("cuda", 1)
    with pytest.raises(ParamsError, match=r"3.*2.*GPUs.*PET_NPROC_PER_NODE"):
        device.choose("auto", local_rank=2)
    assert device.choose("cpu").type == "cpu"


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_named(machine: pytest.MonkeyPatch, wanted: str) -> None:
    with pytest.raises(ParamsError, match=rf"train.device = '{wanted}'.*\bauto\b.*\bcpu\b"):
        device.choose(wanted)


def test_auto_precision_follows_the_hardware(machine: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert device.precision("auto", cpu) == torch.float32
    machine.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert device.precision("auto", cpu) == torch.bfloat16
    assert device.precision("float32", cpu) == torch.float32
    machine.setattr(torch.cpu, "get_capabilities", dict)
    assert device.precision("bfloat16", cpu) == torch.bfloat16
