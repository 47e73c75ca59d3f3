"""Iterative stratification: every class of every task in every split, in the splits' proportions, as far as it goes.

After Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011, algorithm 1, over
groups of artworks instead of single ones, with two additions: a class of at least three groups gets at least one in
val and in test whatever its share, and a last search moves groups to splits where a class is still missing.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arttl.splits.split import SHARES, Rows, group_sizes, rows_by_split
from arttl.tasks import SPLITS

_TRAIN = SPLITS.index("train")
_STEPS, _NOISE = 3000, 0.3  # of the random walk for the last missing classes


@dataclass(frozen=True)
class Labels:
    """The labels of N rows over all tasks, classes of one name in two tasks being different ones.

    Attributes:
        rows: [E] the row of each entry, in any order.
        classes: [E] its class, numbered from 0.
    """

    rows: Rows
    classes: Rows


def stratified_split(
    groups: Rows, labels: Labels, seed: int, val_share: float = SHARES["val"]
) -> dict[str, Rows]:
    """A split that never divides a group, 80/10/10 by default.

    Args:
        groups: [N] the group of each row, numbered from 0.
        labels: of the rows.
        seed: breaks ties.
        val_share: of the rows that go into val, at most `MOST_VAL`.

    Returns:
        Split name to ascending row numbers; together each number once.

    Raises:
        ArttlError: if there are too few groups for three splits.
    """
    sizes = group_sizes(groups, "stratified")
    table = _Table.of(groups, labels)
    shares = np.array([1 - val_share - SHARES["test"], val_share, SHARES["test"]])
    split_of_group = _distribute(table, sizes, shares, _targets(table, shares), seed)
    _repair(table, split_of_group, seed)
    return rows_by_split(split_of_group[groups])


def stratified_folds(groups: Rows, labels: Labels, count: int, seed: int) -> Rows:
    """Folds of equal size for cross-validation, which never divide a group and have every class alike.

    Args:
        groups: [N] the group of each row, numbered from 0.
        labels: of the rows.
        count: of folds.
        seed: breaks ties.

    Returns:
        [N] the fold of each row, numbered from 0.
    """
    table = _Table.of(groups, labels)
    shares = np.full(count, 1 / count)
    targets = _rows_of_classes(table)[:, None] * shares
    return _distribute(table, np.bincount(groups), shares, targets, seed)[groups]


@dataclass(frozen=True)
class _Table:
    """Groups by classes, sparse, in both directions; an entry counts the group's rows of the class."""

    classes_of: tuple[Rows, Rows]  # starts [G + 1], classes [E]
    counts: Rows  # [E], beside classes
    groups_of: tuple[Rows, Rows]  # starts [Q + 1], groups [E]

    @classmethod
    def of(cls, groups: Rows, labels: Labels) -> _Table:
        num_groups = int(groups.max()) + 1
        num_classes = int(labels.classes.max(initial=-1)) + 1
        pairs, counts = np.unique(groups[labels.rows] * num_classes + labels.classes, return_counts=True)
        of_group, of_class = np.divmod(pairs, max(num_classes, 1))
        by_class = np.argsort(of_class, kind="stable")
        return cls(
            (_starts(of_group, num_groups), of_class),
            counts.astype(np.int64),
            (_starts(of_class, num_classes), of_group[by_class]),
        )

    @property
    def num_classes(self) -> int:
        return len(self.groups_of[0]) - 1

    def of_group(self, group: int) -> tuple[Rows, Rows]:
        """The group's classes and how many of its rows have each."""
        starts, classes = self.classes_of
        inside = slice(starts[group], starts[group + 1])
        return classes[inside], self.counts[inside]

    def of_class(self, class_: int) -> Rows:
        """The groups that have a class."""
        starts, groups = self.groups_of
        return groups[starts[class_] : starts[class_ + 1]]


def _starts(sorted_numbers: Rows, count: int) -> Rows:
    return np.concatenate([[0], np.cumsum(np.bincount(sorted_numbers, minlength=count))]).astype(np.int64)


def _distribute(
    table: _Table, sizes: Rows, shares: npt.NDArray[np.float64], targets: npt.NDArray[np.float64], seed: int
) -> Rows:
    """The split of each group, rarest class first.

    Args:
        table: of groups and classes.
        sizes: [G] rows of each group.
        shares: [S] of all rows that each split should have.
        targets: [Q, S] rows of each class that each split should have.
        seed: breaks ties.
    """
    random = np.random.RandomState(seed)
    num_groups = len(sizes)
    split_of = np.full(num_groups, -1)
    order = random.permutation(num_groups)
    rank = np.empty(num_groups, dtype=np.int64)
    rank[order] = np.arange(num_groups)
    room = shares * sizes.sum()  # rows that each split still lacks
    missing = targets.copy()  # rows of each class that each split still lacks
    left = np.diff(table.groups_of[0]).tolist()
    waiting = [(count, class_) for class_, count in enumerate(left) if count]
    heapq.heapify(waiting)
    while waiting:
        count, class_ = heapq.heappop(waiting)
        if count != left[class_] or not count:
            continue
        groups = table.of_class(class_)
        groups = groups[split_of[groups] < 0]
        changed = set()
        for group in groups[np.argsort(rank[groups])].tolist():
            classes, counts = table.of_group(group)
            lacking = missing[class_]
            best = np.flatnonzero(lacking == lacking.max())
            split = int(best[np.argmax(room[best])])
            split_of[group] = split
            missing[classes, split] -= counts
            room[split] -= sizes[group]
            for other in classes.tolist():
                left[other] -= 1
                changed.add(other)
        for other in changed:
            if left[other]:
                heapq.heappush(waiting, (left[other], other))
    for group in order[split_of[order] < 0].tolist():  # those without any label
        split = int(np.argmax(room))
        split_of[group] = split
        room[split] -= sizes[group]
    return split_of


def _rows_of_classes(table: _Table) -> npt.NDArray[np.float64]:
    """How many rows each class has, [Q]."""
    rows = np.bincount(table.classes_of[1], weights=table.counts, minlength=table.num_classes)
    return rows.astype(np.float64)


def _targets(table: _Table, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[Q, splits] rows of each class that each split should have."""
    starts, _ = table.groups_of
    rows = _rows_of_classes(table)
    targets = rows[:, None] * shares
    enough = np.diff(starts) >= len(SPLITS)
    targets[enough] = np.maximum(targets[enough], 1.0)
    targets[:, _TRAIN] = rows - targets.sum(axis=1) + targets[:, _TRAIN]
    return targets


def _repair(table: _Table, split_of: Rows, seed: int) -> None:
    """Bring classes into splits where they are missing, by moving groups.

    First the moves that take no other class out; then, where that is not enough, a random walk that may take some out
    for a while (WalkSAT: Selman, Kautz and Cohen, "Noise Strategies for Improving Local Search", AAAI 1994, with a
    class missing from a split as a clause), of which the best state is kept.
    """
    present = np.zeros((table.num_classes, len(SPLITS)), dtype=np.int64)
    np.add.at(present, (table.classes_of[1], np.repeat(split_of, np.diff(table.classes_of[0]))), 1)
    can_be = present.sum(axis=1) >= len(SPLITS)

    def move(group: int, split: int) -> None:
        classes, _ = table.of_group(group)
        present[classes, split_of[group]] -= 1
        present[classes, split] += 1
        split_of[group] = split

    def lost(group: int) -> int:
        """How many classes the group's split loses with it."""
        classes, _ = table.of_group(group)
        return int(np.sum((present[classes, split_of[group]] == 1) & can_be[classes]))

    def missing() -> Rows:
        return np.argwhere((present == 0) & can_be[:, None])

    for class_, split in missing().tolist():
        if not present[class_, split]:
            harmless = next((group for group in table.of_class(class_).tolist() if not lost(group)), None)
            if harmless is not None:
                move(harmless, split)
    random = np.random.RandomState(seed)
    fewest, best = len(missing()), split_of.copy()
    for _ in range(_STEPS):
        short = missing()
        if len(short) < fewest:
            fewest, best = len(short), split_of.copy()
        if not len(short):
            break
        class_, split = short[random.randint(len(short))].tolist()
        groups = table.of_class(class_).tolist()
        if random.rand() < _NOISE:
            move(groups[random.randint(len(groups))], split)
        else:
            move(min(groups, key=lost), split)
    split_of[:] = best
