"""The order of an epoch: which rows, in which batch, on which rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class EpochPlan:
    """One rank's part of an epoch.

    Over all ranks every row comes exactly once where `valid`, and all ranks have the same number of batches.

    Attributes:
        rows: [num_batches, B] int64.
        valid: [num_batches, B] bool, False for padding, which repeats rows from the start of the epoch.
        visits: [num_batches, B] int64, how often the row came before in the epoch's order.
    """

    rows: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]
    visits: npt.NDArray[np.int64]

    @classmethod
    def cut(
        cls, order: npt.NDArray[np.int64], batch_size: int, rank: int = 0, world_size: int = 1
    ) -> EpochPlan:
        """Cut the order of an epoch into batches and take a rank's part of each.

        A global batch is `batch_size * world_size` rows on, and rank r takes the r-th part of it: two ranks
        with batches of B see together what one rank with batches of 2B sees, and the padding is at the very
        end of the last global batch.

        Args:
            order: [N] int64, at least one row.
            batch_size: B, on each rank.
            rank: 0 to world_size - 1.
            world_size: number of ranks.
        """
        num_batches = -(-len(order) // (batch_size * world_size))
        shape = (num_batches, world_size, batch_size)
        # Padding with many different rows rather than one keeps the statistics of batch normalisation sound.
        rows = np.resize(order, shape)
        valid = (np.arange(rows.size) < len(order)).reshape(shape)
        visits = np.resize(_visits(order), shape)
        return cls(rows[:, rank], valid[:, rank], visits[:, rank])


def _visits(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How often each item of a sequence came before it, [N] int64."""
    by_row = np.argsort(order, kind="stable")
    place = np.arange(len(order))
    starts = np.r_[True, np.diff(order[by_row]) != 0]
    visits = np.empty_like(place)
    visits[by_row] = place - np.maximum.accumulate(np.where(starts, place, 0))
    return visits


def epoch_order(
    rows: npt.NDArray[np.int64], shards: npt.NDArray[np.integer], *, shuffle: bool, seed: int, epoch: int
) -> npt.NDArray[np.int64]:
    """The rows of an epoch in the order in which all ranks together see them.

    Shuffled, the shards come in random order and the samples of each in random order: reading stays local,
    the order can be handed to DALI as index files, and since samples were dealt to the shards at random when
    they were packed, neighbours have nothing in common.

    Args:
        rows: [N] int64, the rows to visit; one that is there repeatedly is visited as often.
        shards: [N], the shard of each.
        shuffle: whether to shuffle; otherwise the rows stay as they are.
        seed: at least 0.
        epoch: at least 0.

    Returns:
        [N] int64.
    """
    if not shuffle:
        return rows
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    names, shard = np.unique(shards, return_inverse=True)
    place_of_shard = random.permutation(len(names))[shard]
    return rows[np.lexsort((random.permutation(len(rows)), place_of_shard))]
