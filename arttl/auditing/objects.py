"""The objects of a collection, the labels that are judged, and the folds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from arttl.auditing.out_of_fold import FOLDS
from arttl.errors import counted
from arttl.inference.objects import Objects
from arttl.pictures.near_duplicates import NEAR_DUPLICATES_FILE
from arttl.shards.manifest import Manifest
from arttl.splits.redraw import object_groups
from arttl.splits.stratify import Labels, stratified_folds
from arttl.tasks import Task, Vocabulary, is_labelled

TaskLabels = Sequence[tuple[str, ...] | None]


@dataclass(frozen=True, eq=False)
class AuditedObjects:
    """The A objects of a manifest. Photographs of one object whose labels differ are objects of their own.

    Attributes:
        manifest: of the shards.
        labels: task name to the labels of each object, None where unknown.
        groups: [A] int64; objects that share photographs that look alike, or a series, have one group.
        objects: which photographs are of which object.
        differing: object numbers whose photographs have different labels.
    """

    manifest: Manifest
    labels: Mapping[str, TaskLabels]
    groups: npt.NDArray[np.int64]
    objects: Objects
    differing: int

    @classmethod
    def of(cls, manifest: Manifest, tasks: Sequence[str]) -> AuditedObjects:
        """The objects of a manifest.

        Args:
            manifest: of the shards.
            tasks: whose labels are audited, of those that it has.

        Raises:
            ArttlError: for a table of near duplicates that cannot be read.
        """
        labels = {task: manifest.labels(task) for task in tasks}
        numbers = list(zip(manifest.object_numbers, manifest.institutions, strict=True))
        names = [
            json.dumps([number, [labels[task][row] for task in tasks]]) for row, number in enumerate(numbers)
        ]
        objects = Objects.of(names, manifest.keys)
        of_number = Counter(numbers[row] for row in objects.chosen.tolist())
        return cls(
            manifest,
            {task: [of_task[row] for row in objects.chosen.tolist()] for task, of_task in labels.items()},
            object_groups(manifest)[objects.chosen],
            objects,
            sum(count > 1 for count in of_number.values()),
        )

    def __len__(self) -> int:
        return len(self.objects.chosen)

    @cached_property
    def photographs(self) -> list[list[int]]:
        """The rows of each object's photographs in the manifest, the chosen one first."""
        rows: list[list[int]] = [[] for _ in range(len(self))]
        for row, number in enumerate(self.objects.of_photograph.tolist()):
            rows[number].append(row)
        for chosen, of_object in zip(self.objects.chosen.tolist(), rows, strict=True):
            of_object.sort(key=lambda row: row != chosen)
        return rows

    def sentences(self) -> list[str]:
        """What was counted, and what cannot be known."""
        photographs, groups = len(self.manifest), len(np.unique(self.groups))
        sentences = [
            f"objects    {counted(len(self), 'object')} of {counted(photographs, 'photograph')}, in"
            f" {counted(groups, 'group')} that folds do not divide"
        ]
        if not (self.manifest.directory / NEAR_DUPLICATES_FILE).is_file():
            sentences.append(
                f"warning: the features have no {NEAR_DUPLICATES_FILE}, so that photographs that look alike may be on"
                " both sides of a fold, where a wrong label of one confirms that of the other; pack the collection"
                " without --near-duplicates off"
            )
        if self.differing:
            sentences.append(
                f"objects    {counted(self.differing, 'object has', 'objects have')} photographs with different labels,"
                " which are judged apart"
            )
        return sentences


@dataclass(frozen=True)
class NotJudged:
    """A label that is not judged.

    Attributes:
        task, label: its names.
        objects: how many different objects have it.
        reason: fewer than `--least`; or it is the only class of its task that is large enough.
    """

    task: str
    label: str
    objects: int
    reason: Literal["too few objects", "the only class with enough objects"]


@dataclass(frozen=True, eq=False)
class JudgedTask:
    """The M labelled objects of a task, of classes with enough objects.

    Attributes:
        task: its vocabulary's counts are of objects.
        items: [M] int64, indices of the objects, ascending.
        targets: [M] int64 or [M, Q] float32.
        folds: [M] int64, the fold of each.
        catalogued: all labels of each, also those that do not count.
        labelled: objects with a label of the task, judged or not.
    """

    task: Task
    items: npt.NDArray[np.int64]
    targets: torch.Tensor
    folds: npt.NDArray[np.int64]
    catalogued: Sequence[tuple[str, ...]]
    labelled: int


def judge(
    objects: AuditedObjects, name: str, *, multi_label: bool, least: int, seed: int
) -> tuple[JudgedTask | None, list[NotJudged]]:
    """The classes of a task that have enough objects to be judged, and the labels that have not.

    Args:
        objects: of the collection.
        name: of the task.
        multi_label: whether an object keeps all its labels; else the first counts.
        least: groups of objects that a class needs.
        seed: of the folds.

    Returns:
        The task, None where fewer than two classes are large enough; and the labels that are not judged, the most
        frequent first.
    """
    labels = [row if multi_label or not row else row[:1] for row in objects.labels[name]]
    groups_of: dict[str, set[int]] = {}
    for row, group in zip(labels, objects.groups.tolist(), strict=True):
        for label in row or ():
            groups_of.setdefault(label, set()).add(group)
    sizes = {label: len(groups) for label, groups in groups_of.items()}
    classes = sorted(label for label, size in sizes.items() if size >= least)
    if len(classes) < 2:
        alone, classes = set(classes), []
    else:
        alone = set()
    not_judged = [
        NotJudged(
            name,
            label,
            sizes[label],
            "the only class with enough objects" if label in alone else "too few objects",
        )
        for label in sorted(sizes, key=lambda label: (-sizes[label], label))
        if label not in classes
    ]
    if not classes:
        return None, not_judged
    counts = Counter(label for row in labels for label in {*(row or ())})
    largest = max(range(len(classes)), key=lambda index: counts[classes[index]])
    vocabulary = Vocabulary(tuple(classes), tuple(counts[label] for label in classes), (largest,))
    task = Task(name, "multi-label" if multi_label else "single-label", vocabulary)
    targets = task.targets(labels)
    items = np.flatnonzero(is_labelled(targets)).astype(np.int64)
    targets = targets[items]
    rows, of_class = np.nonzero(targets) if multi_label else (np.arange(len(items)), targets)
    groups = np.unique(objects.groups[items], return_inverse=True)[1].astype(np.int64).reshape(-1)
    folds = stratified_folds(groups, Labels(rows.astype(np.int64), of_class.astype(np.int64)), FOLDS, seed)
    known = sum(1 for row in labels if row)
    catalogued = [objects.labels[name][item] or () for item in items.tolist()]
    return JudgedTask(task, items, torch.from_numpy(targets), folds, catalogued, known), not_judged
