"""Groups of settings shared by the commands that read shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError
from arttl.loading.engines import Engine
from arttl.settings import AtLeastOne, Parsed, Settings
from arttl.tasks import LabelledRows, TaskSet


@dataclass(frozen=True, kw_only=True)
class ClassSettings(Settings):
    """Which tasks, and which of their labels are classes."""

    tasks: tuple[str, ...] = ()
    """Tasks, in order. By default all that the shards have."""
    classes: Annotated[str, Parsed(ClassRule.parse)] = "train"
    """Class rule: train (every class of the training split), all-splits (classes present in every split), min-count=N,
    rijks2014, or listed=FILE (classes that a text file names)."""

    def choose(self, labels: LabelledRows) -> TaskSet:
        """The tasks of a collection, see `TaskSet.from_manifest`.

        Raises:
            ArttlError: for a task that the shards do not have, or that has fewer than two classes.
        """
        names = self.tasks or labels.task_names
        return TaskSet.from_manifest(labels, names, classes=self.classes, **self._kinds())

    def sentences(self, labels: LabelledRows) -> list[str]:
        """What to report of the class rule: names of `listed=FILE` that no label has."""
        rule = ClassRule.parse(self.classes)
        if rule.listed is None:
            return []
        rows = (labels.labels(name) for name in self.tasks or labels.task_names)
        return rule.sentences(label for of_task in rows for row in of_task for label in row or ())

    def _kinds(self) -> dict[str, tuple[str, ...]]:
        return {}


@dataclass(frozen=True, kw_only=True)
class TaskSettings(ClassSettings):
    """Which tasks, and what their labels are."""

    multi_label: tuple[str, ...] = ()
    """Tasks of --tasks in which an object keeps all its labels; the others take the first."""
    number: tuple[str, ...] = ()
    """Tasks of --tasks that are numbers, such as a year."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if both := set(self.multi_label) & set(self.number):
            raise ArttlError(f"--multi-label and --number both name {min(both)!r}: a task is of one kind")

    def _kinds(self) -> dict[str, tuple[str, ...]]:
        return {"multi_label": self.multi_label, "number": self.number}


@dataclass(frozen=True, kw_only=True)
class EngineSettings(Settings):
    """What decodes the pictures."""

    engine: Engine = "auto"
    """What decodes the pictures: DALI on the GPU or the CPU, the built-in engine (cpu), or the faster one available."""
    threads: AtLeastOne | None = None
    """Threads per process, for decoding and on the CPU for computing. By default one per core."""


@dataclass(frozen=True, kw_only=True)
class DecodingSettings(EngineSettings):
    """How pictures are read."""

    on_bad_sample: Literal["raise", "skip"] = "raise"
    """What a picture that cannot be decoded does: end the run (raise), or be left out and named (skip)."""
