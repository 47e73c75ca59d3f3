"""Tasks to predict, their vocabularies, and the tables that turn labels into targets.

Shards hold labels as strings. Indices are made here, when shards are opened, so that one set of shards serves any
class rule, any subset of tasks and any transfer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from arttl.class_rules import ClassRule
from arttl.decimals import NumberFormat, UnclearNumbers
from arttl.documents import read_json, structured
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.files import write_json
from arttl.numbers import WIDEST_RANGE, NumberStatistics, parse_number, unused_numbers

TaskKind = Literal["single-label", "multi-label", "number"]
SPLITS = ("train", "val", "test")
_MOST_TASKS = 1000  # of a file: each becomes a layer


class LabelledRows(Protocol):
    """The labels that a `TaskSet` is built from; `arttl.shards.manifest.Manifest` is one."""

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks that any row carries labels for."""

    @property
    def splits(self) -> Sequence[str]:
        """The split of each row."""

    def labels(self, task: str) -> Sequence[tuple[str, ...] | None]:
        """The labels of each row for one task; None where unknown."""


@dataclass(frozen=True)
class Vocabulary:
    """The classes of a task, sorted by name, and their frequencies in the training split.

    Attributes:
        classes: the classes' names.
        counts: how many training samples carry each class.
        majority: the training split's most frequent label, as class indices: one class, or for a multi-label task the
            most frequent set of labels. Always predicting it is the baseline that every accuracy is shown beside.
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    majority: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(set(self.classes)) != len(self.classes) or len(self.classes) != len(self.counts):
            raise ValueError("a vocabulary needs distinct classes and one count for each")
        if not self.majority or not all(0 <= index < len(self.classes) for index in self.majority):
            raise ValueError("a vocabulary's majority must be indices of its classes")

    def __len__(self) -> int:
        return len(self.classes)

    @cached_property
    def index(self) -> dict[str, int]:
        """Class name to index."""
        return {name: i for i, name in enumerate(self.classes)}


@dataclass(frozen=True)
class Task:
    """A property to predict.

    A single-label or number task takes the first label of an object that has several, as the paper does.

    Attributes:
        name: of the task.
        kind: whether one class, a set of classes, or a number such as the year is predicted.
        training: of the training split: a vocabulary, or for a number its statistics.
    """

    name: str
    kind: TaskKind
    training: Vocabulary | NumberStatistics

    def __post_init__(self) -> None:
        if isinstance(self.training, NumberStatistics) != (self.kind == "number"):
            raise ValueError(f"a task of kind {self.kind} cannot have {type(self.training).__name__}")

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes; a number has none."""
        assert isinstance(self.training, Vocabulary), f"task {self.name!r} is a number and has no classes"
        return self.training

    @property
    def statistics(self) -> NumberStatistics:
        """The statistics of a number; other kinds have none."""
        assert isinstance(self.training, NumberStatistics), f"task {self.name!r} is not a number"
        return self.training

    @property
    def outputs(self) -> int:
        """Q, the width of the task's head: one logit per class, or one number, standardised."""
        return 1 if self.kind == "number" else len(self.vocabulary)

    def same_targets_as(self, other: Task) -> bool:
        """Whether a head for one task fits the other: the same name, kind and classes, or number's scale."""
        if (self.name, self.kind) != (other.name, other.kind):
            return False
        if self.kind == "number":
            return self.statistics == other.statistics
        return self.vocabulary.classes == other.vocabulary.classes

    @property
    def summary(self) -> str:
        """The kind and its size in a few words, for tables and headings."""
        if self.kind != "number":
            return f"{self.kind}, {counted(len(self.vocabulary), 'class', 'classes')}"
        numbers = self.statistics
        return (
            f"number, median {numbers.text(numbers.median)}, standard deviation {numbers.text(numbers.std)}"
        )

    def targets(self, labels: Sequence[tuple[str, ...] | None]) -> npt.NDArray[Any]:
        """Targets of many rows.

        Args:
            labels: of each of N rows; None where unknown.

        Returns:
            Single-label: [N] int64, -1 where the label is unknown or not in the vocabulary. Multi-label:
            [N, Q] float32 of 0 and 1, a row of NaN where no label is known. Number: [N] float32 in the label's
            unit, NaN where the label is unknown or not a number.
        """
        if self.kind == "number":
            number_format = self.statistics.number_format
            values = [parse_number(row[0], number_format) if row else None for row in labels]
            return np.array([np.nan if value is None else value for value in values], dtype=np.float32)
        index = self.vocabulary.index
        if self.kind == "single-label":
            return np.array([index.get(row[0], -1) if row else -1 for row in labels], dtype=np.int64)
        table = np.full((len(labels), len(self.vocabulary)), np.nan, dtype=np.float32)
        for target, row in zip(table, labels, strict=True):
            known = [index[label] for label in row or () if label in index]
            if known:
                target[:] = 0.0
                target[known] = 1.0
        return table


def is_labelled(targets: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which rows of a target table carry a label, [N] bool, for any kind."""
    if targets.ndim == 1 and targets.dtype.kind == "i":
        return targets >= 0
    return ~np.isnan(targets if targets.ndim == 1 else targets[:, 0])


class TaskSet:
    """An ordered set of tasks; saved with every model."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = {task.name: task for task in tasks}
        if len(self._tasks) != len(tasks):
            raise ValueError("two tasks of one name")

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        inside = ", ".join(f"{task.name} ({task.summary})" for task in self)
        return f"TaskSet({inside})"

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return tuple(self._tasks)

    @classmethod
    def from_manifest(
        cls,
        manifest: LabelledRows,
        names: Sequence[str],
        *,
        classes: str = "train",
        multi_label: Sequence[str] = (),
        number: Sequence[str] = (),
    ) -> TaskSet:
        """Build the tasks' vocabularies and statistics from the labels of a collection.

        Args:
            manifest: the collection.
            names: the tasks to predict, in order.
            classes: the class rule, see `ClassRule`.
            multi_label: the tasks of `names` that keep all of an object's labels.
            number: the tasks of `names` whose labels are numbers, such as the year; no class rule touches them.

        Raises:
            ArttlError: for an unknown task or rule, a task that the rule leaves without two classes, or a number
                of which the training split does not have two.
        """
        if not names:
            raise ArttlError("name at least one task with --tasks")
        for name in (*names, *multi_label, *number):
            if name not in manifest.task_names:
                known = ", ".join(manifest.task_names) or "none"
                raise ArttlError(
                    f"the shards have no task {name!r}{did_you_mean(name, manifest.task_names)}; they have: {known}"
                )
        if len(set(names)) != len(names):
            raise ArttlError(f"--tasks names a task twice: {' '.join(names)}")
        for flag, flagged in (("--multi-label", multi_label), ("--number", number)):
            if stray := set(flagged) - set(names):
                raise ArttlError(
                    f"{flag} names {sorted(stray)[0]!r}, which is not among --tasks {' '.join(names)}"
                )
        if both := set(multi_label) & set(number):
            raise ArttlError(f"--multi-label and --number both name {sorted(both)[0]!r}: a task has one kind")
        tasks = []
        for name in names:
            if name in number:
                tasks.append(Task(name, "number", _statistics(manifest, name)))
                continue
            kind: TaskKind = "multi-label" if name in multi_label else "single-label"
            tasks.append(Task(name, kind, _vocabulary(manifest, name, kind, classes)))
        return cls(tasks)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {"tasks": [_task_to_dict(task) for task in self]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: object = "the task set") -> TaskSet:
        """The inverse of `to_dict`.

        Args:
            data: other keys are passed over.
            where: it is, for messages.

        Raises:
            ArttlError: if `data` is not a task set.
        """
        described = structured(dict(data), _TaskSetRecord, where, surplus=True).tasks
        if len(described) > _MOST_TASKS:
            raise ArttlError(f"{where}: it has more than {_MOST_TASKS:,} tasks")
        try:
            return cls([_task_from_dict(task, f"task {n} of {where}") for n, task in enumerate(described, 1)])
        except ValueError as error:
            raise ArttlError(f"{where}: {error}") from error

    def save(self, path: Path) -> None:
        """Write the tasks as JSON."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> TaskSet:
        """Read tasks written by `save`.

        Raises:
            ArttlError: if the file is missing or not a task set.
        """
        return cls.from_dict(read_json(path, dict[str, Any]), f"the task set {path}")


@dataclass(frozen=True)
class _TaskSetRecord:
    tasks: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class _TaskRecord:
    name: str
    kind: TaskKind


@dataclass(frozen=True)
class _ClassesRecord(_TaskRecord):
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    train_majority: tuple[int, ...]


@dataclass(frozen=True)
class _NumberRecord(_TaskRecord):
    train_count: int
    train_mean: float
    train_std: float
    train_median: float
    train_unreadable: int
    number_format: NumberFormat = field(default_factory=NumberFormat)  # files of earlier versions lack it


def _task_to_dict(task: Task) -> dict[str, Any]:
    described: dict[str, Any] = {"name": task.name, "kind": task.kind}
    if task.kind == "number":
        statistics = asdict(task.statistics)
        del statistics["number_format"]
        return described | {
            **{f"train_{name}": value for name, value in statistics.items()},
            "number_format": task.statistics.number_format.to_dict(),
        }
    return described | {
        "classes": list(task.vocabulary.classes),
        "train_counts": list(task.vocabulary.counts),
        "train_majority": list(task.vocabulary.majority),
    }


def _task_from_dict(described: Mapping[str, Any], where: str) -> Task:
    kind = structured(described, _TaskRecord, where, surplus=True).kind
    if kind == "number":
        of = structured(described, _NumberRecord, where)
        values = (of.train_count, of.train_mean, of.train_std, of.train_median, of.train_unreadable)
        return Task(of.name, kind, NumberStatistics(*values, of.number_format))
    record = structured(described, _ClassesRecord, where)
    return Task(record.name, kind, Vocabulary(record.classes, record.train_counts, record.train_majority))


def _statistics(manifest: LabelledRows, name: str) -> NumberStatistics:
    train = [
        labels[0]
        for split, labels in zip(manifest.splits, manifest.labels(name), strict=True)
        if split == "train" and labels
    ]
    try:
        number_format = NumberFormat.of(train)
    except UnclearNumbers as error:
        raise ArttlError(
            f"task {name!r} of --number: {error}; write all with a decimal point and without separators of thousands,"
            f" for example with arttl shards relabel and --mapping {name}=FILE"
        ) from error
    try:
        return NumberStatistics.of((parse_number(label, number_format) for label in train), number_format)
    except ValueError as error:
        unused = "; ".join(unused_numbers(train, number_format))
        raise ArttlError(
            f"task {name!r} of --number needs two different numbers in the training split, such as 1642, ca. 1642 or"
            f" 1640-1645 (ranges under {WIDEST_RANGE}), and has"
            f" {counted(len(train), 'label')}{unused and f': {unused}'}"
        ) from error


def _vocabulary(manifest: LabelledRows, name: str, kind: TaskKind, rule: str) -> Vocabulary:
    class_rule = ClassRule.parse(rule)
    counts: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    label_sets: Counter[frozenset[str]] = Counter()  # of the training split
    for split, labels in zip(manifest.splits, manifest.labels(name), strict=True):
        if labels:
            label_set = frozenset(labels[:1] if kind == "single-label" else labels)
            counts[split].update(label_set)
            if split == "train":
                label_sets[label_set] += 1
    train = counts["train"]
    classes = class_rule.choose(counts)
    if len(classes) < 2:
        missing = "".join(f"; {sentence}" for sentence in class_rule.sentences(train))
        raise ArttlError(
            f"task {name!r} has {counted(len(classes), 'class', 'classes')} left under the class rule {rule!r}"
            f" ({len(train)} in the training split): two are needed; leave it out of --tasks, or choose other --classes"
            f"{missing}"
        )
    ordered = tuple(sorted(classes))
    known: Counter[tuple[str, ...]] = Counter()
    for label_set, count in label_sets.items():
        known[tuple(sorted(label_set & classes))] += count
    del known[()]
    majority = min(known, key=lambda labels: (-known[labels], labels))
    return Vocabulary(
        ordered,
        tuple(train[label] for label in ordered),
        tuple(ordered.index(label) for label in majority),
    )
