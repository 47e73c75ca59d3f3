"""The shards' own split into train, val and test, or new ones by other seeds.

Features of a frozen network do not depend on the split, so one pass over a collection serves any number of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arttl.pictures.near_duplicates import component_roots, read_near_duplicates
from arttl.shards.manifest import Manifest
from arttl.splits.stratify import Labels, stratified_split
from arttl.tasks import SPLITS


@dataclass(frozen=True)
class SplitAssignment:
    """A collection under one split; `TaskSet.from_manifest` takes it as it takes a manifest.

    Attributes:
        manifest: the collection.
        splits: train, val or test for each row.
    """

    manifest: Manifest
    splits: Sequence[str]

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks that rows carry labels for."""
        return self.manifest.task_names

    def labels(self, task: str) -> Sequence[tuple[str, ...] | None]:
        """The labels of each row for one task; None where unknown."""
        return self.manifest.labels(task)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """The rows of one split, ascending."""
        return np.flatnonzero(np.asarray(self.splits) == split).astype(np.int64)


def redraw_split(manifest: Manifest, tasks: Sequence[str], seed: int) -> SplitAssignment:
    """The split of one seed.

    Args:
        manifest: the collection.
        tasks: whose classes are spread evenly.
        seed: 0 is the shards' own split; any other gives a new 80/10/10 split as `--split stratified` does, with all
            photographs of an object and all near duplicates of `near-duplicates.csv` in one split.

    Raises:
        ArttlError: if the shards have not all three splits, or are too few for others.
    """
    if seed == 0:
        for split in SPLITS:
            manifest.rows(split)
        return SplitAssignment(manifest, manifest.splits)
    rows, classes = [], []
    class_numbers: dict[tuple[str, str], int] = {}
    for task in tasks:
        for row, labels in enumerate(manifest.labels(task)):
            for label in labels or ():
                rows.append(row)
                classes.append(class_numbers.setdefault((task, label), len(class_numbers)))
    entries = Labels(np.array(rows, dtype=np.int64), np.array(classes, dtype=np.int64))
    splits = np.empty(len(manifest), dtype=object)
    for split, of_split in stratified_split(object_groups(manifest), entries, seed).items():
        splits[of_split] = split
    return SplitAssignment(manifest, splits.tolist())


def object_groups(manifest: Manifest) -> npt.NDArray[np.int64]:
    """The group of each row, numbered from 0: rows of one object or series, or that look the same, share one, [N].

    Near duplicates are those of `near-duplicates.csv` beside the manifest; where there is none, objects alone count.

    Raises:
        ArttlError: if that table cannot be read.
    """
    row_of_key = {key: row for row, key in enumerate(manifest.keys)}
    members = [(("object", number), row) for row, number in enumerate(manifest.object_numbers)]
    members += [(("series", group), row) for row, group in enumerate(manifest.groups) if group is not None]
    for entry in read_near_duplicates(manifest.directory) or ():
        if entry["key"] in row_of_key:
            members.append((("near duplicates", entry["group"]), row_of_key[entry["key"]]))
    first_rows: dict[tuple[str, str], int] = {}
    pairs = ((first_rows.setdefault(name, row), row) for name, row in members)
    roots = component_roots(len(manifest), pairs)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64).reshape(-1)
