"""Examples come to the device as asked for: the same whether they were there already or travelled
in shards.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from duli.training import feed
from duli.training.distributed import World
from tests.training.examples import SIDE, examples

CPU = torch.device("cpu")
ALL = slice(None)


def rows(batches: int, batch: int, n: int = 50) -> Tensor:
    return torch.randint(0, n, (batches, batch), generator=torch.Generator().manual_seed(0))


@given(
    batches=st.integers(0, 9),
    batch=st.integers(1, 7),
    per_shard=st.integers(1, 70),
    world=st.integers(1, 7),
    rank=st.integers(0, 6),
)
def test_streamed_is_resident_to_the_bit_wherever_the_shards_end(
    batches: int, batch: int, per_shard: int, world: int, rank: int
) -> None:
    world = min(world, batch)
    data, order, mine = (
        examples(50),
        rows(batches, batch),
        World(min(rank, world - 1), world).slice(batch),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "SHARD_BYTES", per_shard * SIDE * SIDE)
        streamed = list(feed.batches(data, order, mine, CPU, kept=False))
    resident = list(feed.batches(data, order, mine, CPU, kept=True))
    assert len(streamed) == len(resident) == batches
    for one, other, wanted in zip(streamed, resident, order[:, mine], strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)
        assert torch.equal(one.inputs, data.inputs[wanted])
        assert torch.equal(one.targets, data.targets[wanted])


@pytest.mark.parametrize(
    ("shard", "copies"),
    [
        (1, 6),
        (3 * SIDE * SIDE, 6),
        (2 * 3 * SIDE * SIDE, 3),
        (4 * 3 * SIDE * SIDE, 2),
        (1 << 30, 1),
    ],
)
def test_so_many_batches_travel_at_once_as_a_shard_holds(
    monkeypatch: pytest.MonkeyPatch, shard: int, copies: int
) -> None:
    monkeypatch.setattr(feed, "SHARD_BYTES", shard)
    gathered: list[int] = []
    inner = feed._shard
    monkeypatch.setattr(
        feed,
        "_shard",
        lambda data, chosen, *rest: (gathered.append(len(chosen)), inner(data, chosen, *rest))[1],
    )
    list(feed.batches(examples(50), rows(6, 3), ALL, CPU, kept=False))
    assert len(gathered) == copies
    assert sum(gathered) == 6


def test_whoever_stops_early_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(feed, "SHARD_BYTES", 1)
    before = threading.active_count()
    stream = feed.batches(examples(50), rows(6, 3), ALL, CPU, kept=False)
    next(stream)
    stream.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("wanted", "size", "free", "kept"),
    [
        ("resident", 10**12, 1, True),
        ("streamed", 1, 10**12, False),
        ("streamed", 1, None, False),
        ("auto", 10**12, None, True),  # main memory, where they are anyway
        ("auto", 50, 100, True),
        ("auto", 51, 100, False),
    ],
)
def test_examples_stay_where_they_fit(wanted: str, size: int, free: int | None, kept: bool) -> None:
    assert feed.resident(wanted, size, free) is kept


def test_a_split_moves_whole() -> None:
    data = examples(5)
    moved = data.to(torch.device("meta"))
    assert moved.inputs.device.type == moved.targets.device.type == "meta"
    assert moved.inputs.shape == data.inputs.shape
