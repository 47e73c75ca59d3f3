"""What the studies on frozen features share: settings, opened stores, splits and measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import torch
import tyro

from arttl.console import Reporter
from arttl.errors import ArttlError
from arttl.evaluation.measures import majority_logits, measures_of, values_of
from arttl.frozen.store import FeatureStore
from arttl.frozen.tokens import Samples, same_collection, store_names
from arttl.label_use import describe_task
from arttl.loading.settings import ClassSettings
from arttl.settings import AtLeastOne, Settings
from arttl.splits.redraw import SplitAssignment, redraw_split
from arttl.tasks import Task, TaskSet

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class StudySettings(Settings):
    """The features that heads are trained on."""

    features: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders made with `arttl features`, of the same shards."""

    def check(self) -> None:
        """See `Settings.check`."""
        super().check()
        if not self.features:
            raise ArttlError("name at least one folder of features, made with `arttl features`")


@dataclass(frozen=True, kw_only=True)
class SplitSettings(Settings):
    """How often the study is repeated."""

    seeds: AtLeastOne = 1
    """Number of splits: the shards' own, then others drawn anew. Use five for figures to report."""


class Study:
    """One study: its features and the splits of them.

    Attributes:
        stores: the opened features, all of the same shards.
        names: a short name for each.
        manifest: of the shards.
        device: where heads are fitted.
        reporter: prints.
    """

    def __init__(self, features: Sequence[Path], classes: ClassSettings) -> None:
        """Open the features.

        Args:
            features: their folders.
            classes: the tasks to study.

        Raises:
            ArttlError: if a folder holds no features, or two do not go together.
        """
        self._classes = classes
        self._started = time.perf_counter()
        self.stores = [FeatureStore.open(path) for path in features]
        same_collection(self.stores)
        self.names = store_names(self.stores)
        self.manifest = self.stores[0].manifest
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.reporter = Reporter(True)
        for sentence in classes.sentences(self.manifest):
            self.reporter.say(sentence)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks of the study, in order."""
        return self._classes.tasks or self.manifest.task_names

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
            tasks = self._classes.choose(split)
            if seed == 0:
                for task in tasks:
                    self.reporter.say(f"task       {describe_task(task, split.labels(task.name))}")
            yield split, tasks

    def measure(
        self,
        splits: int,
        samples: Callable[[SplitAssignment], Callable[[Task], Mapping[str, Samples]]],
        measure: Callable[[Task, Mapping[str, Samples]], T],
    ) -> tuple[dict[str, list[T]], TaskSet]:
        """Measure every task on every split.

        Args:
            splits: how many.
            samples: of a split, a function that gives the samples of each of its parts for a task.
            measure: of a task and its samples.

        Returns:
            Task name to the measurement on each split; and the tasks as the first split has them.

        Raises:
            ArttlError: see `splits`.
        """
        measured: dict[str, list[T]] = {name: [] for name in self.task_names}
        of_splits = []
        with self.reporter.progress("heads", splits * len(measured)) as bar:
            for split, tasks in self.splits(splits):
                of_splits.append(tasks)
                samples_of_task = samples(split)
                for task in tasks:
                    measured[task.name].append(measure(task, samples_of_task(task)))
                    bar.advance()
        return measured, of_splits[0]


def task_values(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Every measure of the task's kind, by name, from logits [N, Q] of labelled samples."""
    return values_of(measures_of(task, logits.cpu().numpy(), targets.cpu().numpy()), len(targets))


def majority_values(task: Task, targets: torch.Tensor) -> dict[str, float]:
    """The measures of always predicting what is most frequent in the training split."""
    return task_values(task, torch.from_numpy(majority_logits(task, len(targets))), targets)
