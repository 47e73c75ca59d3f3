"""How many samples and labels of which class are in which split: counted from a plan, or from finished shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from arttl.packing.plan import Plan
from arttl.shards.manifest import Manifest
from arttl.shards.sample import LABEL_COLUMN
from arttl.tasks import SPLITS

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TaskCounts:
    """The labels of one task.

    Attributes:
        name: of the task.
        classes: Q class names.
        samples: [Q, 3] samples of each class in train, val and test; one of several labels counts for each.
        first: [Q, 3] those whose first label it is, which is the one that a single-label task takes.
        labelled: [3] samples with any label.
        several: samples with more than one label.
    """

    name: str
    classes: Sequence[str]
    samples: Counts
    first: Counts
    labelled: Counts
    several: int


@dataclass(frozen=True)
class Summary:
    """A collection in numbers.

    Attributes:
        samples: [3] samples in train, val and test.
        shards: [3] tars.
        tasks: the labels, a task each.
        together: the tasks that a sample has labels for, and how many samples have just these.
        rejected: reason to how many were left out.
        unlabelled: artworks left out without a label for any task.
    """

    samples: Counts
    shards: Counts
    tasks: tuple[TaskCounts, ...]
    together: Mapping[tuple[str, ...], int]
    rejected: Mapping[str, int]
    unlabelled: int

    @classmethod
    def of_plan(cls, plan: Plan, shard_size: int) -> Summary:
        """What would be written if every picture could be used.

        Args:
            plan: of the collection.
            shard_size: samples in a shard.
        """
        rows = np.concatenate([plan.jobs[split].rows for split in SPLITS])
        samples = np.array([len(plan.jobs[split]) for split in SPLITS])
        split_of = np.repeat(np.arange(len(SPLITS)), samples)
        tasks, known = [], []
        for task in plan.tasks:
            column = plan.catalogue.labels[task]
            places, codes = column.entries(rows)
            tasks.append(_task_counts(task, column.names, places, codes, split_of))
            known.append(column.known(rows))
        return cls(
            samples,
            -(-samples // shard_size),
            tuple(tasks),
            _together(plan.tasks, known),
            Counter(reject.reason for reject in plan.rejects),
            plan.unlabelled,
        )

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> Summary:
        """What finished shards hold."""
        table = manifest.table
        split_of = pc.index_in(table["split"], pa.array(SPLITS)).to_numpy()
        tars = (
            table.select(["split", "shard"]).group_by(["split", "shard"]).aggregate([])["split"].to_pylist()
        )
        tasks, known = [], []
        for task in manifest.task_names:
            column = table[LABEL_COLUMN + task].combine_chunks()
            values = pc.list_flatten(column).dictionary_encode()
            places = pc.list_parent_indices(column).to_numpy()
            codes = values.indices.to_numpy()
            tasks.append(_task_counts(task, values.dictionary.to_pylist(), places, codes, split_of))
            has_label = np.zeros(len(manifest), dtype=bool)
            has_label[places] = True
            known.append(has_label)
        return cls(
            np.bincount(split_of, minlength=len(SPLITS)),
            np.array([tars.count(split) for split in SPLITS]),
            tuple(tasks),
            _together(manifest.task_names, known),
            dict(manifest.dataset["rejected"]),
            int(manifest.dataset["unlabelled"]),
        )


def _task_counts(
    name: str, classes: Sequence[str], places: Counts, codes: Counts, split_of: Counts
) -> TaskCounts:
    """Count entries: the sample (ascending) and the class of each; and the split of each sample.

    Classes that no sample has are left out.
    """
    width = len(SPLITS)
    is_first = np.diff(places, prepend=-1) > 0
    of_entry = codes * width + split_of[places]
    samples = np.bincount(of_entry, minlength=len(classes) * width).reshape(-1, width)
    first = np.bincount(of_entry[is_first], minlength=len(classes) * width).reshape(-1, width)
    there = np.flatnonzero(samples.sum(axis=1))
    return TaskCounts(
        name,
        [classes[code] for code in there.tolist()],
        samples[there],
        first[there],
        np.bincount(split_of[places[is_first]], minlength=width),
        int((np.bincount(places) > 1).sum()),
    )


def _together(tasks: tuple[str, ...], known: Sequence[npt.NDArray[np.bool_]]) -> dict[tuple[str, ...], int]:
    """For each set of tasks how many samples have labels for just these, most frequent first."""
    patterns, counts = np.unique(np.stack(known, axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {
        tuple(task for task, has in zip(tasks, patterns[index], strict=True) if has): int(counts[index])
        for index in order
    }
