"""The order of an epoch: which rows, in which batch, on which rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class EpochPlan:
    """One rank's part of an epoch.

    Over all ranks and where `valid`, every row comes exactly once. All ranks have the same number of batches.

    Attributes:
        rows: [num_batches, B] int64.
        valid: [num_batches, B] bool, False for padding, which repeats rows from the start of the epoch.
        visits: [num_batches, B] int64, how often the epoch visited the row before.
    """

    rows: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]
    visits: npt.NDArray[np.int64]

    @classmethod
    def cut(
        cls, order: npt.NDArray[np.int64], batch_size: int, rank: int = 0, world_size: int = 1
    ) -> EpochPlan:
        """Cut the order of an epoch into batches and take a rank's part of each.

        A global batch is the next `batch_size * world_size` rows, and rank r takes the r-th part of it: two ranks with
        batches of B together see what one rank with batches of 2B sees. The padding is at the end of the last global
        batch.

        Args:
            order: [N] int64, at least one row.
            batch_size: B, on each rank.
            rank: 0 to world_size - 1.
            world_size: number of ranks.
        """
        num_batches = -(-len(order) // (batch_size * world_size))
        shape = (num_batches, world_size, batch_size)
        # Padding with different rows instead of a single one keeps the statistics of batch normalisation sound.
        rows = np.resize(order, shape)
        valid = (np.arange(rows.size) < len(order)).reshape(shape)
        visits = np.resize(_visits(order), shape)
        return cls(rows[:, rank], valid[:, rank], visits[:, rank])


def _visits(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each item of a sequence, the number of equal items before it, [N] int64."""
    if np.bincount(order).max() == 1:  # all but epochs that are sampled
        return np.zeros_like(order)
    by_row = np.argsort(order, kind="stable")
    positions = np.arange(len(order))
    starts = np.r_[True, np.diff(order[by_row]) != 0]
    visits = np.empty_like(positions)
    visits[by_row] = positions - np.maximum.accumulate(np.where(starts, positions, 0))
    return visits


def epoch_order(
    rows: npt.NDArray[np.int64], shards: npt.NDArray[np.integer], *, shuffle: bool, seed: int, epoch: int
) -> npt.NDArray[np.int64]:
    """The rows of an epoch in the order in which all ranks together see them.

    Shuffled, the shards come in random order and so do the samples within each. Reading stays local, and neighbours are
    unrelated, since packing distributes samples over the shards at random.

    Args:
        rows: [N] int64, the rows to visit, with repeats.
        shards: [N], the number of each row's shard, from 0.
        shuffle: whether to shuffle; if not, the rows stay in their order.
        seed: at least 0.
        epoch: at least 0.

    Returns:
        [N] int64.
    """
    if not shuffle:
        return rows
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    present = np.flatnonzero(np.bincount(shards))
    position_of_shard = np.zeros(present[-1] + 1, dtype=np.int64)
    position_of_shard[present] = random.permutation(len(present))
    # One key in place of two, all different: an eighth of the time of a sort by shard and sample.
    return rows[np.argsort(position_of_shard[shards] * len(rows) + random.permutation(len(rows)))]
