"""Every optimizer moves what it should, and the learning rate goes the way of its schedule."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from duli.training import optim
from duli.training.layers import layers
from tests.training.examples import examples, network, recipe

OPTIMIZERS = ["adam", "adamw", "sgd", "muon"]


def transfer(**changes: object) -> dict[str, object]:
    return {
        "init_from": None,
        "sha256": None,
        "frozen": 0,
        "unfreeze": 0.0,
        "layer_decay": 1.0,
        **changes,
    }


def rates(steps: int, **changes: object) -> list[float]:
    settings = recipe(**changes)
    optimizers = optim.build(network(), settings)
    schedule = optim.Schedule(optimizers, settings, steps)
    seen = []
    for done in range(steps):
        told = schedule.set(done)
        assert {group["lr"] for optimizer in optimizers for group in optimizer.param_groups} == {
            told
        }
        seen.append(told)
    return seen


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_weight_moves_and_the_loss_falls(name: str) -> None:
    model = network()
    images, labels = examples(128)
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizers = optim.build(model, recipe(optimizer=name, weight_decay=0.0, learning_rate=0.01))
    losses = []
    for step in range(15):
        loss = functional.cross_entropy(model(images.float() / 255), labels)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
        if step == 0:
            for old, weight in zip(before, model.parameters(), strict=True):
                assert not torch.equal(old, weight)
    assert losses[-1] < losses[0] / 1.5


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_weight_belongs_to_one_optimizer(name: str) -> None:
    model = network()
    optimizers = optim.build(
        model, recipe(optimizer=name, weight_decay=0.25, transfer=transfer(layer_decay=0.5))
    )
    owned = [
        id(weight)
        for optimizer in optimizers
        for group in optimizer.param_groups
        for weight in group["params"]
    ]
    assert sorted(owned) == sorted(id(weight) for weight in model.parameters())
    assert {
        group["weight_decay"] for optimizer in optimizers for group in optimizer.param_groups
    } == {0.25}
    kinds = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
        "muon": torch.optim.AdamW,
    }
    assert type(optimizers[0]) is kinds[name]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_layer_learns_slower_than_the_one_above_it(name: str) -> None:
    model = network()
    settings = recipe(optimizer=name, learning_rate=0.08, transfer=transfer(layer_decay=0.5))
    optimizers = optim.build(model, settings)
    assert optim.Schedule(optimizers, settings, 10).set(3) == pytest.approx(0.08)  # the peak
    rate = {
        id(weight): group["lr"]
        for optimizer in optimizers
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    stack = layers(model)
    assert len(stack) == 3
    for layer, wanted in zip(stack, (0.02, 0.04, 0.08), strict=True):
        assert [rate[id(weight)] for weight in layer] == pytest.approx([wanted] * len(layer))


def test_layers_of_one_rate_are_one_group() -> None:
    (optimizer,) = optim.build(network(), recipe())
    assert len(optimizer.param_groups) == 1


def test_muon_moves_hidden_kernels_and_matrices_alone() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3),
        nn.Flatten(),
        nn.Linear(4, 6),
        nn.Linear(6, 2),
    )
    others, muon = optim.build(model, recipe(optimizer="muon"))
    assert isinstance(muon, optim.KernelMuon)
    assert isinstance(others, torch.optim.AdamW)
    moved = [id(weight) for group in muon.param_groups for weight in group["params"]]
    assert moved == [id(model[2].weight), id(model[4].weight)]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (4, 16, 1, 1), (16, 1, 3, 3)])
def test_muon_on_a_kernel_is_torchs_on_the_flattened_matrix(
    shape: tuple[int, ...], memory_format: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator)
    kernel = nn.Parameter(start.clone().to(memory_format=memory_format))
    matrix = nn.Parameter(start.flatten(1).clone())
    ours = optim.KernelMuon([{"lr": 0.02, "params": [kernel]}], lr=0.02, weight_decay=0.1)
    theirs = torch.optim.Muon([matrix], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        gradient = torch.randn(shape, generator=generator)
        kernel.grad, matrix.grad = (
            gradient.clone().to(memory_format=memory_format),
            gradient.flatten(1).clone(),
        )
        ours.step()
        theirs.step()
    # Newton-Schulz computes in bfloat16, and the columns stand in another order: hence 2 % of the
    # way.
    way = (matrix - start.flatten(1)).norm()
    assert (kernel.flatten(1) - matrix).norm() < 0.02 * way
    assert ours.state[kernel]["momentum_buffer"].shape == kernel.shape


def test_muon_takes_gradients_of_another_memory_format() -> None:
    def moved(gradient: Tensor) -> Tensor:
        kernel = nn.Parameter(torch.zeros(4, 3, 3, 3).to(memory_format=torch.channels_last))
        kernel.grad = gradient
        optim.KernelMuon([{"lr": 0.02, "params": [kernel]}], lr=0.02, weight_decay=0.0).step()
        return kernel.detach()

    gradient = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(moved(gradient), moved(gradient.to(memory_format=torch.channels_last)))


def test_muon_leaves_a_frozen_kernel() -> None:
    kernels = [nn.Parameter(torch.ones(4, 3, 3, 3)) for _ in range(2)]
    kernels[1].grad = torch.ones(4, 3, 3, 3)
    optim.KernelMuon([{"lr": 0.02, "params": kernels}], lr=0.02, weight_decay=0.1).step()
    assert torch.equal(kernels[0], torch.ones(4, 3, 3, 3))
    assert not torch.equal(kernels[1], torch.ones(4, 3, 3, 3))


RISE = [0.1, 0.55]  # a warm-up over 2 of 10 steps: from a tenth of the peak on


@pytest.mark.parametrize(
    ("schedule", "then"),
    [
        ("one_cycle", [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]),
        ("cosine", [(1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]),
        # after half of the run, and after three quarters
        ("step", [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ("plateau", [1] * 8),
        ("constant", [1] * 8),
    ],
)
def test_the_shape_of_each_schedule(schedule: str, then: list[float]) -> None:
    seen = rates(10, schedule=schedule, learning_rate=0.5, warm_up=0.2)
    assert seen == pytest.approx([0.5 * share for share in (*RISE, *then)])


def test_a_plateau_reduces_after_the_second_evaluation_without_progress() -> None:
    settings = recipe(schedule="plateau", learning_rate=0.5, warm_up=0.01)
    schedule = optim.Schedule(optim.build(network(), settings), settings, 100)
    seen = []
    for loss in (1.0, 0.9, 0.9, 0.95, 0.8, 0.85, 0.8, 0.7):
        schedule.seen(loss)
        seen.append(schedule.set(50))
    assert seen == pytest.approx([0.5, 0.5, 0.5, 0.05, 0.05, 0.05, 0.005, 0.005])


@pytest.mark.parametrize("name", ["one_cycle", "cosine", "step", "constant"])
def test_other_schedules_do_not_look_at_the_evaluations(name: str) -> None:
    settings = recipe(schedule=name)
    schedule = optim.Schedule(optim.build(network(), settings), settings, 100)
    before = schedule.set(50)
    for _ in range(5):
        schedule.seen(1.0)
    assert schedule.set(50) == before


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "step", "plateau", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("warm_up", [0.01, 0.2, 0.5, 0.99])
def test_short_runs_have_a_schedule_too(steps: int, warm_up: float, schedule: str) -> None:
    assert all(0 < rate <= 0.02 for rate in rates(steps, warm_up=warm_up, schedule=schedule))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_plan_counts_the_tensors_an_optimizer_keeps(name: str) -> None:
    weight = nn.Parameter(torch.ones(4, 4))
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = weight
    optimizers = optim.build(model, recipe(optimizer=name))
    for own in model.parameters():
        own.grad = torch.ones_like(own)
    for optimizer in optimizers:
        optimizer.step()
    kept = next(optimizer.state[weight] for optimizer in optimizers if weight in optimizer.state)
    assert (
        sum(value.shape == weight.shape for value in kept.values() if isinstance(value, Tensor))
        == optim.STATE_TENSORS[name]
    )
