"""Splits into train, val and test, and the order in which samples are written."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError, counted
from arttl.tasks import SPLITS

Rows = npt.NDArray[np.int64]

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
MOST_VAL = 0.8  # beside a tenth each for train and test
_FEWEST = 6  # rows or groups; fewer leave a split empty


class TooFew(ArttlError):
    """Rows, or groups of them, that are too few for three splits."""


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
        TooFew: if there are too few rows for three splits.
    """
    if count < _FEWEST:
        artworks = counted(count, "labelled artwork is", "labelled artworks are")
        raise TooFew(f"{artworks} too few for --split paper, which needs {_FEWEST}")
    rows = np.arange(count, dtype=np.int64)
    train, held_out = _train_test(rows, 0.2, seed)
    val, test = _train_test(held_out, 0.5, seed)
    return {"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)}


def grouped_split(groups: Rows, seed: int, val_share: float = SHARES["val"]) -> dict[str, Rows]:
    """A random split that never divides a group, 80/10/10 by default.

    Groups are taken in a random order, first into test until it has its tenth of the rows, then into val, and the
    rest into train; a group that would overfill val or test by more than half of itself is left to the next.

    Args:
        groups: [N] the group of each row, numbered from 0.
        seed: of the order.
        val_share: of the rows that go into val, at most `MOST_VAL`.

    Returns:
        Split name to ascending row numbers; together each number once.

    Raises:
        TooFew: if there are too few groups for three splits.
    """
    return _divided(groups, seed, {"test": SHARES["test"], "val": val_share}, "grouped")


def held_out_split(
    groups: Rows, held_out: npt.NDArray[np.bool_], seed: int, val_share: float = SHARES["val"]
) -> dict[str, Rows]:
    """A split whose test rows are given, such as one museum's; the others are divided 8 to 1 as by `grouped_split`.

    Args:
        groups: [N] the group of each row, numbered from 0.
        held_out: [N] whether it is a test row; a group may have rows of both kinds.
        seed: of the order.
        val_share: as for `grouped_split`: of train and val together, val has so much of nine tenths.

    Returns:
        Split name to ascending row numbers; together each number once.

    Raises:
        TooFew: if there are too few groups besides the test rows.
    """
    rest = np.flatnonzero(~held_out)
    of_rest = np.unique(groups[rest], return_inverse=True)[1].astype(np.int64).reshape(-1)
    divided = _divided(of_rest, seed, {"val": val_share / (1 - SHARES["test"])}, "by-institution")
    return {split: rest[rows] for split, rows in divided.items()} | {"test": np.flatnonzero(held_out)}


def _divided(groups: Rows, seed: int, shares: Mapping[str, float], kind: str) -> dict[str, Rows]:
    sizes = group_sizes(groups, kind)
    waiting = np.random.RandomState(seed).permutation(len(sizes))
    split_of_group = np.full(len(sizes), SPLITS.index("train"))
    for split, share in shares.items():
        room = share * len(groups)
        passed_over = []
        for index, group in enumerate(waiting):
            if room < 0.5:
                passed_over += waiting[index:].tolist()
                break
            if sizes[group] <= 2 * room:
                split_of_group[group] = SPLITS.index(split)
                room -= sizes[group]
            else:
                passed_over.append(group)
        waiting = np.array(passed_over, dtype=np.int64)
    return rows_by_split(split_of_group[groups])


def group_sizes(groups: Rows, kind: str) -> Rows:
    """The number of rows of each group, for a split of this kind.

    Raises:
        TooFew: if there are too few groups for three splits.
    """
    sizes = np.bincount(groups)
    if len(sizes) < _FEWEST:
        groups_are = counted(len(sizes), "group of artworks is", "groups of artworks are")
        raise TooFew(f"{groups_are} too few for --split {kind}, which needs {_FEWEST}")
    return sizes


def rows_by_split(split_of: Rows) -> dict[str, Rows]:
    """Split name to ascending row numbers, from the index of each row's split."""
    return {split: np.flatnonzero(split_of == number) for number, split in enumerate(SPLITS)}


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


def on_empty_splits(splits: Mapping[str, Rows], kind: str) -> tuple[str, ...]:
    """A sentence for each split that the metadata give no row to.

    Args:
        splits: split name to rows.
        kind: of split, `official` or `column=NAME`; no other divides as the metadata say.
    """
    if kind != "official" and not kind.startswith("column="):
        return ()
    column = kind.partition("=")[2]
    return tuple(
        f"warning: no row that can be packed"
        f" {f'says {split} in the column {column!r}' if column else f'is of the official split {split}'}"
        f" (--split {kind}), so that split is empty"
        for split, rows in splits.items()
        if not len(rows)
    )
