"""Which sample is trained on, validated on, tested on; and in which order samples are written."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.tasks import SPLITS

Rows = npt.NDArray[np.int64]


def paper_split(count: int, seed: int) -> dict[str, Rows]:
    """The random 80/10/10 split of the paper's repository.

    That is scikit-learn's `train_test_split(rows, test_size=.2, random_state=seed)`, and its second half again with
    `test_size=.5` and the same seed: the first part is val, the second test. Not stratified.

    Args:
        count: number of labelled rows.
        seed: 42 in the paper's repository.

    Returns:
        Split name to ascending row numbers below `count`; together each number once.

    Raises:
        ArttlError: if there are too few rows for three splits.
    """
    if count < 6:
        raise ArttlError(f"{count} labelled artwork(s) are too few for --split paper, which needs 6")
    rows = np.arange(count, dtype=np.int64)
    train, held_out = _train_test(rows, 0.2, seed)
    val, test = _train_test(held_out, 0.5, seed)
    return {"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)}


def _train_test(rows: Rows, test_size: float, seed: int) -> tuple[Rows, Rows]:
    """scikit-learn's `train_test_split`: one permutation, the test part first, its size rounded up."""
    tested = math.ceil(test_size * len(rows))
    order = np.random.RandomState(seed).permutation(len(rows))
    return rows[order[tested:]], rows[order[:tested]]


def shuffled(rows: Rows, split: str, seed: int) -> Rows:
    """`rows` in the order in which the split is written.

    RandomState, whose stream numpy has promised to keep, and a stream of its own for each split.
    """
    return np.random.RandomState([seed, SPLITS.index(split)]).permutation(rows)
