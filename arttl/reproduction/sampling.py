"""The objects of Tonkes and Sabatelli 2022: a task's most frequent classes, with at most so many objects of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from arttl.class_rules import ClassRule
from arttl.shards.manifest import Manifest
from arttl.tasks import SPLITS

CLASSES = 30
OBJECTS_PER_CLASS = 1000


class LabelledSplits(Protocol):
    """The labels and splits that a run is planned from; `arttl.shards.manifest.Manifest` is one."""

    def labels(self, task: str) -> Sequence[tuple[str, ...] | None]:
        """The labels of each row for one task; None where unknown."""

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """The rows of one split, ascending."""


@dataclass(frozen=True)
class Sample:
    """Some rows of a collection, numbered anew from 0; `TaskSet.from_manifest` takes it as it takes a manifest.

    Attributes:
        manifest: of the collection.
        chosen: split to the rows of the manifest, ascending.
    """

    manifest: Manifest
    chosen: Mapping[str, npt.NDArray[np.int64]]

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks that rows carry labels for."""
        return self.manifest.task_names

    @cached_property
    def splits(self) -> Sequence[str]:
        """The split of each row."""
        return [split for split in SPLITS for _ in self.chosen[split]]

    def labels(self, task: str) -> Sequence[tuple[str, ...] | None]:
        """The labels of each row for one task; None where unknown."""
        labels = self.manifest.labels(task)
        return [labels[row] for split in SPLITS for row in self.chosen[split].tolist()]

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """The rows of one split, ascending."""
        return np.flatnonzero(np.asarray(self.splits) == split).astype(np.int64)


def sample_task(
    manifest: Manifest,
    task: str,
    rule: str,
    *,
    classes: int = CLASSES,
    per_class: int = OBJECTS_PER_CLASS,
) -> Sample:
    """Choose the rows of one task; the shards' own splits stay.

    Args:
        manifest: of the collection.
        task: only rows with one label of it are chosen.
        rule: the class rule; of the classes that it leaves the most frequent are chosen, equal ones by name.
        classes: number of classes.
        per_class: largest number of rows of a class. Of a larger class each split gives the first of its rows, which
            packing has shuffled, in proportion to how many it has, but at least one.
    """
    rows_of_class: dict[str, dict[str, list[int]]] = defaultdict(lambda: {split: [] for split in SPLITS})
    for row, (split, labels) in enumerate(zip(manifest.splits, manifest.labels(task), strict=True)):
        if labels is not None and len(labels) == 1:
            rows_of_class[labels[0]][split].append(row)
    counts = {
        split: Counter({label: len(rows[split]) for label, rows in rows_of_class.items() if rows[split]})
        for split in SPLITS
    }
    allowed = ClassRule.parse(rule).choose(counts)
    frequent = sorted(allowed, key=lambda label: (-sum(counts[split][label] for split in SPLITS), label))
    chosen: dict[str, list[int]] = {split: [] for split in SPLITS}
    for label in frequent[:classes]:
        for split, share in _shares(
            [len(rows_of_class[label][split]) for split in SPLITS], per_class
        ).items():
            chosen[split] += rows_of_class[label][split][:share]
    return Sample(manifest, {split: np.array(sorted(rows), dtype=np.int64) for split, rows in chosen.items()})


def _shares(sizes: Sequence[int], most: int) -> dict[str, int]:
    """How many rows of a class each split gives, in proportion to how many it has, by largest remainders."""
    total = sum(sizes)
    if total <= most:
        return dict(zip(SPLITS, sizes, strict=True))
    exact = [most * size / total for size in sizes]
    shares = [max(int(share), min(1, size)) for share, size in zip(exact, sizes, strict=True)]
    remainders = sorted(range(len(SPLITS)), key=lambda index: shares[index] - exact[index])
    for index in remainders[: max(0, most - sum(shares))]:
        shares[index] += 1
    shares[0] -= max(
        0, sum(shares) - most
    )  # what a split of a small share has more, the training split has less
    return dict(zip(SPLITS, shares, strict=True))
