"""Which sample is trained on, validated on, tested on: the shards' own split, or others drawn anew.

Features of a frozen network do not depend on the split, so one pass over a collection serves any number of them.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arttl.errors import ArttlError
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE
from arttl.shards.manifest import Manifest
from arttl.splits.stratify import Labels, stratified_split
from arttl.tasks import SPLITS


@dataclass(frozen=True)
class Draw:
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


def draw_splits(manifest: Manifest, tasks: Sequence[str], seed: int) -> Draw:
    """The split of one seed.

    Args:
        manifest: the collection.
        tasks: whose classes are spread evenly.
        seed: 0 is the shards' own split; any other draws 80/10/10 anew, as `--split stratified` does, with all
            photographs of an object and all near duplicates that the packing found in one split.

    Raises:
        ArttlError: if the shards have not all three splits, or are too few to draw others.
    """
    if seed == 0:
        for split in SPLITS:
            manifest.rows(split)
        return Draw(manifest, manifest.splits)
    rows, classes = [], []
    seen: dict[tuple[str, str], int] = {}
    for task in tasks:
        for row, found in enumerate(manifest.labels(task)):
            for label in found or ():
                rows.append(row)
                classes.append(seen.setdefault((task, label), len(seen)))
    entries = Labels(np.array(rows, dtype=np.int64), np.array(classes, dtype=np.int64))
    chosen = np.empty(len(manifest), dtype=object)
    for split, found_rows in stratified_split(object_groups(manifest), entries, seed).items():
        chosen[found_rows] = split
    return Draw(manifest, chosen.tolist())


def object_groups(manifest: Manifest) -> npt.NDArray[np.int64]:
    """The group of each row, numbered from 0: rows of one object, or that look the same, share one, [N].

    Near duplicates are those of `near-duplicates.csv` beside the manifest; where there is none, objects alone count.

    Raises:
        ArttlError: if that table cannot be read.
    """
    parent = list(range(len(manifest)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    firsts: dict[tuple[str, str], int] = {}
    members = [(("object", number), row) for row, number in enumerate(manifest.object_numbers)]
    row_of_key = {key: row for row, key in enumerate(manifest.keys)}
    for group, key in _near_duplicates(manifest.directory / NEAR_DUPLICATES_FILE):
        if key in row_of_key:
            members.append((("near", group), row_of_key[key]))
    for group_name, row in members:
        parent[root(row)] = root(firsts.setdefault(group_name, row))
    roots = np.array([root(row) for row in range(len(manifest))])
    return np.unique(roots, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _near_duplicates(path: Path) -> list[tuple[str, str]]:
    """Group and key of each row of the table."""
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [(row["group"], row["key"]) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise ArttlError(f"{path} cannot be read: {error}") from error
