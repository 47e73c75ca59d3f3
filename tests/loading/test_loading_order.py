from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arttl.loading.order import EpochPlan, epoch_order


@given(count=st.integers(1, 300), batch_size=st.integers(1, 40), world_size=st.sampled_from([1, 2, 3, 8]))
@settings(deadline=None)
def test_every_row_comes_exactly_once_over_all_ranks(count: int, batch_size: int, world_size: int) -> None:
    order = np.random.default_rng(count).permutation(10_000)[:count]
    plans = [EpochPlan.cut(order, batch_size, rank, world_size) for rank in range(world_size)]
    seen = Counter(row for plan in plans for row in plan.rows[plan.valid].tolist())
    assert seen == Counter(order.tolist())
    assert len({plan.rows.shape for plan in plans}) == 1
    assert plans[0].rows.shape == (-(-count // (batch_size * world_size)), batch_size)
    padding = [row for plan in plans for row in plan.rows[~plan.valid].tolist()]
    assert set(padding) <= set(order.tolist())
    if padding:  # spread as evenly as it can be
        uses = Counter(padding)
        assert max(uses.values()) - min(uses[row] for row in order.tolist()) <= 1


@given(count=st.integers(1, 200), batch_size=st.integers(1, 20), world_size=st.integers(2, 4))
@settings(deadline=None)
def test_ranks_see_together_what_one_rank_sees(count: int, batch_size: int, world_size: int) -> None:
    order = np.arange(count)
    alone = EpochPlan.cut(order, batch_size * world_size)
    plans = [EpochPlan.cut(order, batch_size, rank, world_size) for rank in range(world_size)]
    assert np.array_equal(np.concatenate([plan.rows for plan in plans], axis=1), alone.rows)
    assert np.array_equal(np.concatenate([plan.valid for plan in plans], axis=1), alone.valid)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=9),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 1000),
)
@settings(deadline=None)
def test_a_shuffled_order_visits_each_shard_once(sizes: list[int], seed: int, epoch: int) -> None:
    shards = np.repeat(np.arange(len(sizes)), sizes)
    rows = 5 + np.arange(len(shards))
    order = epoch_order(rows, shards, shuffle=True, seed=seed, epoch=epoch)
    assert sorted(order.tolist()) == rows.tolist()
    visited = shards[order - 5]
    assert np.count_nonzero(np.diff(visited)) == len(sizes) - 1


@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 50), count=st.integers(1, 200))
@settings(deadline=None)
def test_a_shuffled_order_is_a_sort_by_random_shard_and_sample(seed: int, epoch: int, count: int) -> None:
    """Positions that earlier versions saved mean the same rows; some rows come repeatedly, some shards never."""
    draw = np.random.default_rng(count)
    rows = draw.integers(0, 100, count)
    shards = draw.integers(0, 9, 100)[rows]
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    position = dict(
        zip(sorted(set(shards.tolist())), random.permutation(len(set(shards.tolist()))), strict=True)
    )
    sample = random.permutation(count)
    expected = [rows[i] for i in sorted(range(count), key=lambda i: (position[shards[i]], sample[i]))]
    assert epoch_order(rows, shards, shuffle=True, seed=seed, epoch=epoch).tolist() == expected


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    rows, shards = np.arange(120), np.repeat(np.arange(4), 30)
    orders = {
        (seed, epoch): epoch_order(rows, shards, shuffle=True, seed=seed, epoch=epoch).tolist()
        for seed in range(4)
        for epoch in range(4)
    }
    assert len({tuple(order) for order in orders.values()}) == 16
    for (seed, epoch), order in orders.items():
        assert order == epoch_order(rows, shards, shuffle=True, seed=seed, epoch=epoch).tolist()
    assert epoch_order(rows, shards, shuffle=False, seed=3, epoch=7).tolist() == rows.tolist()


def test_shards_and_samples_are_shuffled_evenly() -> None:
    """Each shard comes first, and each sample of a shard stands first in it, about equally often."""
    rows, shards = np.arange(12), np.repeat(np.arange(3), 4)
    first = Counter(
        int(epoch_order(rows, shards, shuffle=True, seed=1, epoch=epoch)[0]) for epoch in range(2400)
    )
    assert set(first) == set(range(12))
    assert max(abs(count - 200) for count in first.values()) < 60  # over four standard deviations of 13.5


@pytest.mark.parametrize("world_size", [1, 8])
def test_a_single_row_makes_one_batch_on_every_rank(world_size: int) -> None:
    for rank in range(world_size):
        plan = EpochPlan.cut(np.array([7]), 4, rank, world_size)
        assert plan.rows.tolist() == [[7] * 4]
        assert plan.valid.sum() == (rank == 0)
