"""Samples per split and class, counted from a plan or from finished shards."""

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
        samples: [Q, 3] samples of each class in train, val and test; one with several labels counts for each of them.
        first: [Q, 3] samples whose first label it is, the one that a single-label task takes.
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
        tasks: the labels of each task.
        together: set of tasks to how many samples have labels for exactly these.
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
        """The collection of a plan, if every picture can be used.

        Args:
            plan: of the collection.
            shard_size: samples per shard.
        """
        rows = np.concatenate([plan.jobs[split].rows for split in SPLITS])
        samples = np.array([len(plan.jobs[split]) for split in SPLITS])
        split_of = np.repeat(np.arange(len(SPLITS)), samples)
        tasks, known = [], []
        for task in plan.tasks:
            column = plan.catalogue.labels[task]
            samples_of, codes = column.entries(rows)
            tasks.append(_task_counts(task, column.names, samples_of, codes, split_of))
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
        """The collection in finished shards."""
        table = manifest.table
        split_of = pc.index_in(table["split"], pa.array(SPLITS)).to_numpy()
        tars = (
            table.select(["split", "shard"]).group_by(["split", "shard"]).aggregate([])["split"].to_pylist()
        )
        tasks, known = [], []
        for task in manifest.task_names:
            column = table[LABEL_COLUMN + task].combine_chunks()
            values = pc.list_flatten(column).dictionary_encode()
            samples_of = pc.list_parent_indices(column).to_numpy()
            codes = values.indices.to_numpy()
            tasks.append(_task_counts(task, values.dictionary.to_pylist(), samples_of, codes, split_of))
            has_label = np.zeros(len(manifest), dtype=bool)
            has_label[samples_of] = True
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
    name: str, classes: Sequence[str], samples_of: Counts, codes: Counts, split_of: Counts
) -> TaskCounts:
    """Count labels per class and split; classes that no sample has are left out.

    Args:
        name: of the task.
        classes: Q class names.
        samples_of: [E] the sample of each label, ascending.
        codes: [E] the class of each label.
        split_of: [N] the split of each sample.
    """
    width = len(SPLITS)
    is_first = np.diff(samples_of, prepend=-1) > 0
    of_entry = codes * width + split_of[samples_of]
    samples = np.bincount(of_entry, minlength=len(classes) * width).reshape(-1, width)
    first = np.bincount(of_entry[is_first], minlength=len(classes) * width).reshape(-1, width)
    occurring = np.flatnonzero(samples.sum(axis=1))
    return TaskCounts(
        name,
        [classes[code] for code in occurring.tolist()],
        samples[occurring],
        first[occurring],
        np.bincount(split_of[samples_of[is_first]], minlength=width),
        int((np.bincount(samples_of) > 1).sum()),
    )


def _together(tasks: tuple[str, ...], known: Sequence[npt.NDArray[np.bool_]]) -> dict[tuple[str, ...], int]:
    """Set of tasks to how many samples have labels for exactly these, most frequent first."""
    patterns, counts = np.unique(np.stack(known, axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {
        tuple(task for task, has in zip(tasks, patterns[index], strict=True) if has): int(counts[index])
        for index in order
    }
