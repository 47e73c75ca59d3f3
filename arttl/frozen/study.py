"""What the studies on frozen features share: settings, opened stores, splits, measures, and the files they leave."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.measures import majority_logits, measures_of, values_of
from arttl.frozen.results import answers, write_run
from arttl.frozen.store import FeatureStore
from arttl.frozen.tokens import same_collection, store_names
from arttl.models import MultiTaskModel
from arttl.models.fusion import FusedModel
from arttl.splits.redraw import SplitAssignment, redraw_split
from arttl.tasks import Task, TaskSet


@dataclass(frozen=True, kw_only=True)
class ClassChoice:
    """The tasks and classes of a study."""

    tasks: tuple[str, ...] = ()
    """Tasks, in order; by default all that the shards have."""
    classes: str = "train"
    """Class rule: train (every class of the training split), all-splits, min-count=N or rijks2014."""

    def choose(self, split: SplitAssignment) -> TaskSet:
        """The task set of a split, see `TaskSet.from_manifest`.

        Raises:
            ArttlError: for a task that the shards do not have, or with fewer than two classes.
        """
        names = self.tasks or split.task_names
        return TaskSet.from_manifest(split, names, classes=self.classes, **self._kinds())

    def _kinds(self) -> dict[str, tuple[str, ...]]:
        return {}


@dataclass(frozen=True, kw_only=True)
class TaskChoice(ClassChoice):
    """The tasks and classes of a study for tasks of every kind."""

    multi_label: tuple[str, ...] = ()
    """Tasks of --tasks in which an object keeps all its labels; the others take the first."""
    number: tuple[str, ...] = ()
    """Tasks of --tasks that are numbers, such as the year."""

    def _kinds(self) -> dict[str, tuple[str, ...]]:
        return {"multi_label": self.multi_label, "number": self.number}


@dataclass(frozen=True, kw_only=True)
class StudySettings(ClassChoice):
    """The settings of every study."""

    features: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders made with `arttl features`, of the same shards."""

    def __post_init__(self) -> None:
        if not self.features:
            raise ArttlError("name at least one folder of features, made with `arttl features`")


@dataclass(frozen=True, kw_only=True)
class SplitStudySettings(StudySettings):
    """The settings of a study that is repeated on other splits."""

    seeds: int = 1
    """How many splits: the shards' own and others drawn anew. Five for figures to report."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seeds < 1:
            raise ArttlError(f"--seeds must be at least 1, not {self.seeds}")


class Study:
    """One study: its features, the splits of them, and its results.

    Attributes:
        stores: the opened features, all of the same shards.
        names: a short name for each.
        task_names: the tasks asked for.
        manifest: of the shards.
        device: where heads are fitted.
        reporter: prints.
    """

    def __init__(self, settings: StudySettings) -> None:
        """Open the features.

        Raises:
            ArttlError: if a folder holds no features, or two do not go together.
        """
        self._settings = settings
        self._started = time.perf_counter()
        self.stores = [FeatureStore.open(path) for path in settings.features]
        same_collection(self.stores)
        self.names = store_names(self.stores)
        self.manifest = self.stores[0].manifest
        self.task_names = settings.tasks or self.manifest.task_names
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.reporter = Reporter(True)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._started

    def splits(self, count: int) -> Iterator[tuple[SplitAssignment, TaskSet]]:
        """The shards' own split and others drawn anew, `count` in all, with the tasks as each split has them.

        Raises:
            ArttlError: for shards without all three splits, or tasks that they do not have.
        """
        for seed in range(count):
            split = redraw_split(self.manifest, self.task_names, seed)
            yield split, self._settings.choose(split)

    def write_run(
        self,
        out: Path,
        model: MultiTaskModel | FusedModel,
        split: SplitAssignment,
        logits: Mapping[str, torch.Tensor],
        lines: Sequence[Mapping[str, object]],
    ) -> None:
        """Write the run folder of a model.

        Args:
            out: the folder.
            model: the one that is kept.
            split: that it was fitted on.
            logits: task name to its logits [rows, Q] of every row of the manifest.
            lines: of `metrics.jsonl`, every head that was fitted.

        Raises:
            ArttlError: if the folder cannot be written.
        """
        val, test = (answers(split, name, model.tasks, logits) for name in ("val", "test"))
        write_run(out, self._settings, model, lines, val, test, self.manifest)


def task_values(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Every measure of the task's kind, by name, from logits [N, Q] of labelled samples."""
    return values_of(measures_of(task, logits.cpu().numpy(), targets.cpu().numpy()), len(targets))


def majority_values(task: Task, targets: torch.Tensor) -> dict[str, float]:
    """The measures of always predicting what is most frequent in the training split."""
    return task_values(task, torch.from_numpy(majority_logits(task, len(targets))), targets)
