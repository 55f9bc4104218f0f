"""Texts of like length share a batch: every row once, little padding, an order that the seed
decides.
"""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from duli.kinds.text.learning import inputs, pretrain
from duli.training import order


def drawn(n: int, batch: int, seed: int = 0) -> Tensor:
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return order[: n // batch * batch].view(-1, batch)


def long_and_short(n: int) -> Tensor:
    """As texts are: a few are many times as long as most; cut at 128."""
    return (
        (torch.randn(n, generator=torch.Generator().manual_seed(1)) + 3.4)
        .exp()
        .clamp(3, 128)
        .long()
    )


def padding(rows: Tensor, lengths: Tensor) -> float:
    """The share of all positions that is padding when each batch is cut to its longest text."""
    longest = lengths[rows].amax(dim=1) * rows.shape[1]
    return 1 - lengths[rows].sum().item() / longest.sum().item()


@given(n=st.integers(1, 400), batch=st.integers(1, 64))
def test_every_row_stays_once_and_batches_stay_full(n: int, batch: int) -> None:
    rows = drawn(n, min(batch, n))
    made = order.alike(rows, long_and_short(n), torch.Generator().manual_seed(0))
    assert made.shape == rows.shape
    assert sorted(made.flatten().tolist()) == sorted(rows.flatten().tolist())


def test_padding_is_under_a_tenth() -> None:
    lengths, rows = long_and_short(14_000), drawn(14_000, 32)
    assert padding(rows, lengths) > 0.5
    assert padding(order.alike(rows, lengths, torch.Generator().manual_seed(0)), lengths) < 0.1


def test_the_seed_decides_and_long_texts_come_at_any_time() -> None:
    lengths, rows = long_and_short(6_400), drawn(6_400, 32)
    made = [order.alike(rows, lengths, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    halves = lengths[made[0]].float().mean(dim=1).split(100)
    assert abs(halves[0].mean() - halves[1].mean()) < 0.2 * lengths.float().mean()


def test_another_epoch_has_other_batches() -> None:
    lengths = long_and_short(6_400)
    generator = torch.Generator().manual_seed(0)
    first, second = (
        {
            tuple(sorted(row))
            for row in order.alike(drawn(6_400, 32, seed), lengths, generator).tolist()
        }
        for seed in (0, 1)
    )
    assert not first & second


def test_a_batch_is_cut_to_its_longest_text() -> None:
    tokens = torch.tensor([[5, 6, 0, 0], [5, 6, 7, 0]])
    assert inputs.lengths(tokens).tolist() == [2, 3]
    assert pretrain._cut(tokens).tolist() == [[5, 6, 0], [5, 6, 7]]
