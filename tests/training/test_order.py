"""First everything, then the hardest."""

import pytest
import torch

from duli.training import order
from tests.training.examples import recipe


def draw(losses: torch.Tensor, seed: int = 0, **changes: object) -> list[tuple[int, torch.Tensor]]:
    return list(order.batches(losses, recipe(**changes), torch.Generator().manual_seed(seed)))


def test_the_first_epoch_has_every_example_once() -> None:
    rows = torch.cat([rows for epoch, rows in draw(torch.zeros(640)) if epoch == 1])
    assert sorted(rows.tolist()) == list(range(640))
    assert rows.tolist() != list(range(640))


def test_later_epochs_have_the_highest_losses() -> None:
    losses = torch.arange(640.0).flip(0)
    for epoch in (2, 3):
        rows = torch.cat([rows for now, rows in draw(losses, hardest=0.25) if now == epoch])
        assert sorted(rows.tolist()) == list(range(160))


def test_losses_are_looked_at_when_an_epoch_begins() -> None:
    losses = torch.zeros(640)
    seen = set()
    for epoch, rows in order.batches(losses, recipe(epochs=2, hardest=0.25), torch.Generator().manual_seed(0)):
        if epoch == 1:
            losses[rows] = (rows >= 480).float()
        else:
            seen |= set(rows.tolist())
    assert seen == set(range(480, 640))


def test_an_example_left_over_comes_next() -> None:
    losses = torch.full((100,), torch.inf)
    left = set(range(100))
    for epoch, rows in order.batches(losses, recipe(epochs=2, hardest=0.1), torch.Generator().manual_seed(0)):
        if epoch == 1:
            losses[rows] = 0.0
            left -= set(rows.tolist())
        else:
            assert left <= set(rows.tolist())
    assert len(left) == 4


@pytest.mark.parametrize(("n", "batch", "epochs", "hardest"), [(640, 32, 3, 0.5), (1, 32, 2, 1.0), (33, 32, 4, 0.01), (1000, 128, 5, 0.34)])
def test_steps_are_counted_right_and_batches_are_full(n: int, batch: int, epochs: int, hardest: float) -> None:
    changes = {"batch": batch, "epochs": epochs, "hardest": hardest}
    drawn = draw(torch.zeros(n), **changes)
    assert len(drawn) == order.steps(n, recipe(**changes))
    assert {len(rows) for _, rows in drawn} == {min(n, batch)}
    assert {epoch for epoch, _ in drawn} == set(range(1, epochs + 1))


def test_the_seed_decides() -> None:
    orders = [torch.cat([rows for _, rows in draw(torch.zeros(320), seed=seed)]) for seed in (0, 0, 1)]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
