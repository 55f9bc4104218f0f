"""First everything, then the hardest."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from duli.training import order
from tests.training.examples import recipe


def draw(losses: Tensor, epoch: int, seed: int = 0, **changes: object) -> Tensor:
    return order.rows(losses, epoch, recipe(**changes), torch.Generator().manual_seed(seed))


def test_the_first_epoch_has_every_example_once() -> None:
    rows = draw(torch.zeros(640), 1).flatten().tolist()
    assert sorted(rows) == list(range(640))
    assert rows != list(range(640))


@pytest.mark.parametrize("epoch", [2, 3])
def test_later_epochs_have_the_highest_losses(epoch: int) -> None:
    rows = draw(torch.arange(640.0).flip(0), epoch, hardest=0.25).flatten().tolist()
    assert sorted(rows) == list(range(160))
    assert rows != list(range(160))


def test_an_example_left_over_comes_next() -> None:
    losses = torch.full((100,), torch.inf)
    first = draw(losses, 1).flatten()
    losses[first] = 0.0
    left = set(range(100)) - set(first.tolist())
    assert len(left) == 4
    assert left <= set(draw(losses, 2, hardest=0.1).flatten().tolist())


@given(
    n=st.integers(1, 300),
    batch=st.integers(1, 64),
    epochs=st.integers(1, 4),
    hardest=st.floats(0.01, 1),
)
def test_steps_are_counted_right_and_batches_are_full(
    n: int, batch: int, epochs: int, hardest: float
) -> None:
    changes = {"batch": batch, "epochs": epochs, "hardest": hardest}
    drawn = [draw(torch.zeros(n), epoch, **changes) for epoch in range(1, epochs + 1)]
    assert [len(rows) for rows in drawn] == [
        order.batches(n, epoch, recipe(**changes)) for epoch in range(1, epochs + 1)
    ]
    assert sum(len(rows) for rows in drawn) == order.steps(n, recipe(**changes))
    assert all(len(rows) >= 1 for rows in drawn)
    assert {rows.shape[1] for rows in drawn} == {min(n, batch)}
    assert all(len(rows.unique()) == rows.numel() for rows in drawn)


def test_the_seed_decides() -> None:
    for epoch in (1, 2):
        orders = [draw(torch.zeros(320), epoch, seed=seed) for seed in (0, 0, 1)]
        assert torch.equal(orders[0], orders[1])
        assert not torch.equal(orders[0], orders[2])
