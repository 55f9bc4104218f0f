"""Several processes are one: real ones, started by torchrun, against a single process with the same
recipe.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from duli.base.errors import ParamsError
from duli.training import checkpoint, distributed
from duli.training.distributed import World
from tests.closure import ROOT
from tests.shared import once
from tests.training import worker
from tests.training.examples import network, recipe

FSDP = {"parallel": "fsdp"}
UNFREEZING = {"init_from": None, "sha256": None, "frozen": 2, "unfreeze": 0.7, "layer_decay": 0.5}
# What has to come to the same whether one process does it or two; every step has 33 examples.
SAME: dict[str, dict[str, Any]] = {
    "ddp": {},
    "fsdp": {"recipe": FSDP},
    # 17 parts, one of them empty in the first process
    "ddp-micro": {"network": "bare", "recipe": {"micro_batch": 1}},
    "fsdp-micro": {"network": "bare", "recipe": {**FSDP, "micro_batch": 5}},
    "ddp-muon": {"recipe": {"optimizer": "muon", "clip_norm": 0.1}},
    "fsdp-ema": {"recipe": {**FSDP, "ema": 0.9, "clip_norm": 0.1, "early_stopping": 50}},
    "ddp-transfer": {"recipe": {"transfer": UNFREEZING}},
    "fsdp-transfer": {"recipe": {**FSDP, "transfer": UNFREEZING}},
    "ddp-recompute": {"network": "blocks", "recipe": {"activation_checkpointing": True}},
    "fsdp-recompute": {"network": "blocks", "recipe": {**FSDP, "activation_checkpointing": True}},
}
# Runs that go on from the checkpoint after their third step.
RESUMED = {
    "ddp": "ddp",
    "fsdp": "fsdp",
    "fsdp-ema": "fsdp-ema",
    "ddp-transfer": "ddp-transfer",
    "ddp-dropout": "ddp-dropout",
}
DROPOUT: dict[str, dict[str, Any]] = {"ddp-dropout": {"network": "dropout"}}
KILLED = {**DROPOUT["ddp-dropout"], "kill_at": 3}


def start(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Two processes, the way the stage starts them."""
    launch = (
        "from duli.training import distributed; distributed.launch('tests.training.worker',"
        f" {str(folder)!r})"
    )
    env = alone(PET_NPROC_PER_NODE="2", **environment)
    return subprocess.run(
        [sys.executable, "-c", launch],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )


def alone(**more: str) -> dict[str, str]:
    """The environment without what another torchrun may have left in it."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PET_")},
        "OMP_NUM_THREADS": "1",
        **more,
    }


def make(folder: Path, jobs: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    return folder


def weights(folder: Path, rank: int = 0) -> dict[str, Tensor]:
    return load_file(folder / f"weights-{rank}.safetensors")


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )


def inputs() -> dict[str, Tensor]:
    """A batch of 7, its gradient, and a layer that is not at its beginning."""
    generator = torch.Generator().manual_seed(0)
    layer = nn.Sequential(nn.BatchNorm2d(3))
    state = {
        name: value + torch.rand(value.shape, generator=generator).to(value.dtype)
        for name, value in layer.state_dict().items()
    }
    batch = {
        "values": torch.randn(7, 3, 4, 5, generator=generator) * 3 + 1,
        "gradient": torch.randn(7, 3, 4, 5, generator=generator),
    }
    return {**batch, **{f"state:{name}": value for name, value in state.items()}}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left; they do all jobs in one go, because starting them takes longer than
    the jobs.
    """
    resumed = {
        f"{name}-resumed": {**{**SAME, **DROPOUT}[of], "resume": f"{of}/checkpoint-0-3.safetensors"}
        for name, of in RESUMED.items()
    }
    jobs = {**SAME, **DROPOUT, **resumed, "normalise": {"kind": "normalise"}}

    def fill(folder: Path) -> None:
        made = make(folder / "two", jobs)
        save_file(inputs(), made / "inputs.safetensors")
        done = start(made)
        assert (done.returncode, done.stderr) == (0, "")

    return once(tmp_path_factory, "distributed", fill) / "two"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distributed") / "one"
    for name, job in SAME.items():
        worker.train(job, World(), folder / name)
    return folder


@given(count=st.integers(0, 10_000), size=st.integers(1, 64))
def test_the_shares_make_the_whole(count: int, size: int) -> None:
    slices = [World(rank, size).slice(count) for rank in range(size)]
    assert [row for part in slices for row in range(part.start, part.stop)] == list(range(count))
    shares = [part.stop - part.start for part in slices]
    assert max(shares) - min(shares) <= 1
    assert max(shares) == World(0, size).largest_share(count)


def test_only_the_first_process_writes() -> None:
    assert [World(rank, 3).writes for rank in range(3)] == [True, False, False]
    assert World().writes


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"PET_NPROC_PER_NODE": "1"}, False),
        ({"PET_NPROC_PER_NODE": "2"}, True),
        ({"PET_NNODES": "2"}, True),
        ({"PET_NPROC_PER_NODE": "2", "TORCHELASTIC_RUN_ID": "none"}, False),
    ],
)
def test_processes_are_started_once(environment: dict[str, str], wanted: bool) -> None:
    assert distributed.wanted(environment) is wanted


def test_a_process_knows_its_place() -> None:
    # of somebody else: torchrun did not start this
    assert distributed.join({"RANK": "1", "WORLD_SIZE": "2"}) == (World(), 0)
    started = {"TORCHELASTIC_RUN_ID": "none", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    assert distributed.join(started) == (World(3, 4), 1)


def test_alone_there_is_nothing_to_exchange() -> None:
    world, values = World(), torch.tensor([1.0, 2.0])
    assert torch.equal(world.sum(values), values)
    assert world.from_first(b"x") == b"x"
    assert world.gather(values) == [values]
    model = network()
    assert distributed.replicate(model, recipe(), world, torch.device("cpu")) is model


def test_muon_does_not_go_with_split_kernels() -> None:
    with pytest.raises(ParamsError, match=r"muon.*adamw.*parallel: ddp"):
        distributed.shard(
            network(), recipe(optimizer="muon", parallel="fsdp"), World(0, 2), torch.device("cpu")
        )


def test_recomputing_needs_blocks() -> None:
    with pytest.raises(ParamsError, match=r"train\.activation_checkpointing"):
        distributed.shard(
            network(), recipe(activation_checkpointing=True), World(), torch.device("cpu")
        )


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_recomputing_changes_no_bit(tmp_path: Path, dropout: float) -> None:
    job = {"network": "dropout" if dropout else "blocks"}
    worker.train(job, World(), tmp_path / "kept")
    worker.train(
        {**job, "recipe": {"activation_checkpointing": True}}, World(), tmp_path / "recomputed"
    )
    assert equal(weights(tmp_path / "kept"), weights(tmp_path / "recomputed"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_two_processes_learn_as_one(one: Path, two: Path, name: str) -> None:
    alone, together = (
        json.loads((folder / name / "history.json").read_text()) for folder in (one, two)
    )
    assert len(alone) == len(together) >= 5
    for of_one, of_two in zip(alone[:3], together[:3], strict=True):
        assert of_one[2] == pytest.approx(of_two[2], abs=1e-5)  # the loss of the step
        assert of_one[4] == pytest.approx(of_two[4], abs=1e-5)  # that of the validation split
    first, other = (
        checkpoint.unpack((folder / name / "checkpoint-0-1.safetensors").read_bytes())
        for folder in (one, two)
    )
    assert first.tensors.keys() | {"rng:1"} == other.tensors.keys()
    for key, value in checkpoint.below("model", first.tensors).items():
        # Adam divides the first gradient by its own size: where that is next to nothing, rounding
        # decides (hence 1e-4).
        assert torch.allclose(value.float(), other.tensors[f"model:{key}"].float(), atol=1e-4), key


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SAME, *DROPOUT])
def test_all_processes_end_with_the_same_weights_and_the_first_alone_keeps_checkpoints(
    two: Path, name: str
) -> None:
    assert equal(weights(two / name, 0), weights(two / name, 1))
    assert {path.name.split("-")[1] for path in (two / name).glob("checkpoint-*")} == {"0"}
    assert not list((two / name).glob("checkpoint-0-6*"))  # the end needs none


@pytest.mark.slow
@pytest.mark.parametrize("name", RESUMED)
def test_two_processes_go_on_to_the_same_bits(two: Path, name: str) -> None:
    assert equal(weights(two / RESUMED[name]), weights(two / f"{name}-resumed"))
    assert (two / RESUMED[name] / "history.json").read_bytes() == (
        two / f"{name}-resumed" / "history.json"
    ).read_bytes()
    assert sorted(path.name for path in (two / f"{name}-resumed").glob("checkpoint-*")) == [
        f"checkpoint-0-{step}.safetensors" for step in (4, 5)
    ]


@pytest.mark.slow
def test_one_process_goes_on_where_two_stopped(two: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/resume.safetensors").write_bytes(
        (two / "fsdp-ema/checkpoint-0-3.safetensors").read_bytes()
    )
    worker.train(SAME["fsdp-ema"], World(), tmp_path / "run")
    ours, theirs = (
        json.loads((folder / "history.json").read_text())
        for folder in (tmp_path / "run", two / "fsdp-ema")
    )
    assert ours[:3] == theirs[:3]
    assert ours[3][2] == pytest.approx(theirs[3][2], abs=1e-4)


@pytest.mark.slow
def test_batch_normalisation_is_that_of_the_whole_batch(two: Path) -> None:
    tensors = inputs()
    model = nn.Sequential(nn.BatchNorm2d(3))
    model.load_state_dict(
        {
            name.removeprefix("state:"): value
            for name, value in tensors.items()
            if name.startswith("state:")
        }
    )
    values = tensors["values"].clone().requires_grad_()
    output = model(values)
    output.backward(tensors["gradient"])
    left = [load_file(two / f"normalise/left-{rank}.safetensors") for rank in range(2)]
    assert values.grad is not None
    for wanted, name in (
        (output.detach(), "output"),
        (values.grad, "gradient"),
        (model.eval()(tensors["values"]).detach(), "evaluated"),
    ):
        assert torch.allclose(torch.cat([part[name] for part in left]), wanted, atol=1e-5), name
    for name, weight in model.named_parameters():
        assert weight.grad is not None
        assert torch.allclose(left[0][f"gradient:{name}"], weight.grad, atol=1e-4), name
    for part in left:
        for name, value in model.state_dict().items():
            assert torch.allclose(part[f"state:{name}"].float(), value.float(), atol=1e-5), name


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_nothing_is_lost(two: Path, tmp_path: Path) -> None:
    folder = make(tmp_path / "killed", {"run": KILLED})
    done = start(folder, PET_MAX_RESTARTS="1")
    assert done.returncode == 0, done.stderr
    assert (folder / "run/killed").read_text() == "3"
    assert equal(weights(folder / "run"), weights(two / "ddp-dropout"))
    assert (folder / "run/history.json").read_bytes() == (
        two / "ddp-dropout/history.json"
    ).read_bytes()


@pytest.mark.slow
def test_without_a_restart_a_killed_process_ends_the_run(tmp_path: Path) -> None:
    folder = make(tmp_path / "killed", {"run": KILLED})
    done = start(folder)
    assert done.returncode == 1
    assert re.search(
        r"the process of rank \d ended with code -?\d+; what it said stands above",
        done.stderr.splitlines()[-1],
    )
    assert not (folder / "run/weights-0.safetensors").exists()


def ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True)


@contextlib.contextmanager
def two_hosts() -> Iterator[list[tuple[str, str]]]:
    """Name and address of two network namespaces joined by a cable; skips where they cannot be
    made.
    """
    names = [f"duli{os.getpid()}-{side}" for side in "ab"]
    cables = [f"dv{os.getpid()}{side}" for side in "ab"]
    addresses = ["10.211.7.1", "10.211.7.2"]
    try:
        steps = [["netns", "add", name] for name in names]
        steps += [["link", "add", cables[0], "type", "veth", "peer", "name", cables[1]]]
        for name, cable, address in zip(names, cables, addresses, strict=True):
            steps += [
                ["link", "set", cable, "netns", name],
                ["-n", name, "addr", "add", f"{address}/24", "dev", cable],
            ]
            steps += [
                ["-n", name, "link", "set", cable, "up"],
                ["-n", name, "link", "set", "lo", "up"],
            ]
        for step in steps:
            try:
                done = ip(*step)
            except FileNotFoundError:
                pytest.skip("needs iproute2's ip")
            if done.returncode:
                pytest.skip(
                    f"needs root, to make network namespaces: ip {' '.join(step)}:"
                    f" {done.stderr.strip()}"
                )
        yield list(zip(names, addresses, strict=True))
    finally:
        with contextlib.suppress(FileNotFoundError):
            # where it was not given away yet; with its namespace it goes by itself
            ip("link", "del", cables[0])
            for name in names:
                ip("netns", "del", name)


@pytest.mark.slow
def test_two_hosts_end_with_the_weights_of_two_processes_on_one(two: Path, tmp_path: Path) -> None:
    jobs = {name: SAME[name] for name in ("ddp", "fsdp")}
    with two_hosts() as hosts:
        running, folders = [], []
        try:
            for rank, (name, address) in enumerate(hosts):
                folders.append(make(tmp_path / name, jobs))
                options = {
                    "PET_NNODES": "2",
                    "PET_NPROC_PER_NODE": "1",
                    "PET_RDZV_BACKEND": "c10d",
                    "PET_RDZV_ENDPOINT": f"{hosts[0][1]}:29400",
                    "PET_RDZV_ID": "duli",
                    "PET_RDZV_CONF": f"is_host={str(rank == 0).lower()}",
                    "PET_LOCAL_ADDR": address,
                    "GLOO_SOCKET_IFNAME": f"dv{os.getpid()}{'ab'[rank]}",
                }
                command = [
                    "ip",
                    "netns",
                    "exec",
                    name,
                    sys.executable,
                    "-m",
                    "torch.distributed.run",
                    "-m",
                    "tests.training.worker",
                ]
                running.append(
                    subprocess.Popen(
                        [*command, str(folders[-1])],
                        cwd=ROOT,
                        env=alone(**options),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                    )
                )
            told = [process.communicate(timeout=120)[0] for process in running]
        finally:
            for process in running:
                process.kill()
                process.wait()
    assert [process.returncode for process in running] == [0, 0], told
    for name in jobs:
        # Which host is rank 0 is torchrun's choice.
        left = [
            path for folder in folders for path in (folder / name).glob("weights-*.safetensors")
        ]
        assert sorted(path.name for path in left) == [
            "weights-0.safetensors",
            "weights-1.safetensors",
        ]
        for path in left:
            assert equal(load_file(path), weights(two / name))
