"""The learning rate rises to its peak and falls to nothing."""

import pytest
import torch

from duli.training import optim
from tests.training.examples import network, recipe


def rates(steps: int, **changes: object) -> list[float]:
    optimizer, schedule = optim.build(network(), recipe(**changes), steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_one_cycle() -> None:
    seen = rates(100, learning_rate=0.01, warm_up=0.2)
    peak = seen.index(max(seen))
    assert seen[0] == pytest.approx(0.001)
    assert max(seen) == pytest.approx(0.01)
    assert peak == 20
    assert seen[:peak] == sorted(seen[:peak])
    assert seen[peak:] == sorted(seen[peak:], reverse=True)
    assert seen[60] == pytest.approx(0.005)
    assert seen[-1] == pytest.approx(0.01 / 80)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("warm_up", [0.01, 0.2, 0.5, 0.99])
def test_short_runs_have_a_schedule_too(steps: int, warm_up: float) -> None:
    assert all(0 < rate <= 0.02 for rate in rates(steps, warm_up=warm_up))


def test_weight_decay_and_rate_reach_the_optimizer() -> None:
    optimizer, _ = optim.build(network(), recipe(weight_decay=0.25), 10)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["weight_decay"] == 0.25
