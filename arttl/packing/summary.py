"""Samples per split and class, counted from a plan or from finished shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
        institutions: museum to its [3] samples in train, val and test; None where it is unknown. Empty where it is
            unknown of all.
        scaled_down: how many pictures were scaled down to be stored, and the median of how many times smaller their
            longest side became; None where no picture was opened.
    """

    samples: Counts
    shards: Counts
    tasks: tuple[TaskCounts, ...]
    together: Mapping[tuple[str, ...], int]
    rejected: Mapping[str, int]
    unlabelled: int
    institutions: Mapping[str | None, Counts] = field(default_factory=dict)
    scaled_down: tuple[int, float] | None = None

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
            _institutions(
                *plan.catalogue.institutions.entries(rows), plan.catalogue.institutions.names, split_of
            ),
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
            _institutions_of(manifest, split_of),
            _scaled_down(manifest),
        )


def _institutions_of(manifest: Manifest, split_of: Counts) -> dict[str | None, Counts]:
    named = [(row, name) for row, name in enumerate(manifest.institutions) if name is not None]
    names = sorted({name for _, name in named})
    number = {name: index for index, name in enumerate(names)}
    rows = np.array([row for row, _ in named], dtype=np.int64)
    return _institutions(rows, np.array([number[name] for _, name in named], dtype=np.int64), names, split_of)


def _institutions(
    rows: Counts, numbers: Counts, names: Sequence[str], split_of: Counts
) -> dict[str | None, Counts]:
    """Museum to samples per split, the largest first, those of none last.

    Args:
        rows: [E] samples whose museum is known.
        numbers: [E] its index in `names`.
        names: of museums.
        split_of: [N] the split of each sample.
    """
    if not len(rows):
        return {}
    width = len(SPLITS)
    counts = np.bincount(numbers * width + split_of[rows], minlength=len(names) * width).reshape(-1, width)
    order = sorted(np.flatnonzero(counts.sum(axis=1)).tolist(), key=lambda i: (-counts[i].sum(), names[i]))
    unknown = np.bincount(split_of, minlength=width) - counts.sum(axis=0)
    by_name: dict[str | None, Counts] = {names[index]: counts[index] for index in order}
    return by_name | ({None: unknown} if unknown.any() else {})


def _scaled_down(manifest: Manifest) -> tuple[int, float]:
    stored, original = (
        np.maximum(*(manifest.table.column(prefix + side).to_numpy() for side in ("width", "height")))
        for prefix in ("", "original_")
    )
    smaller = original > stored
    factors = original[smaller] / stored[smaller]
    return int(smaller.sum()), float(np.median(factors)) if len(factors) else 1.0


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
