"""Groups of settings shared by the commands that read shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError
from arttl.loading.engines import Engine
from arttl.settings import AtLeastOne, Bound, Parsed, Range, Settings
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
    """What decodes the pictures: DALI on the GPU or the CPU, the built-in engine (cpu), or the best one available."""
    threads: AtLeastOne | None = None
    """Threads per process, for decoding and on the CPU for computing. By default one per core."""


@dataclass(frozen=True, kw_only=True)
class DecodingSettings(EngineSettings):
    """How pictures are read."""

    on_bad_sample: Literal["raise", "skip"] = "raise"
    """What a picture that cannot be decoded does: end the run (raise), or be left out and named (skip)."""


@dataclass(frozen=True, kw_only=True)
class DaliSettings(Settings):
    """How the engine `dali-gpu` decodes; `dali-cpu` uses `prefetch` alone. Commands use the defaults."""

    hw_decoder_load: Annotated[float, Bound("between 0 and 1", lambda value: 0 <= value <= 1)] = 0.65
    """Share of a batch's JPEGs that the card's JPEG engine decodes, where it has one (A100, H100 and newer); the others
    are decoded by CUDA cores, with their Huffman codes on `threads` of the CPU. DALI's default. More leaves the CPU to
    other work, and is faster where the card has several such engines."""
    fancy_upsampling: bool = True
    """Whether chroma is interpolated as libjpeg does it, and so the `cpu` engine. DALI's default is the nearest value,
    which differs from it by 0.6 grey levels on average."""
    preallocated_side: Annotated[int, Range(0, 8192)] = 1024
    """The JPEG engine's memory is allocated at the start for pictures of up to so many pixels on a side, or as many as
    the largest of the collection has: an allocation in an epoch stalls the card. 1,024 take 3 MB per picture of a batch
    and cover what packing stores by default; for larger ones DALI allocates more when they come."""
    prefetch: Annotated[int, Range(1, 16)] = 2
    """Batches that DALI has at a time: one that the caller waits for or uses, the others being decoded. More even out
    batches of unequal pictures, and take the memory of a batch and of its decoded pictures each."""
