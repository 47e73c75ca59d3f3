"""The matrix of the experiment: every figure that the report will show, and the run it comes from.

A cell is one figure of a table, a run is one training. Off-the-shelf heads of different tasks do not touch each other,
so all tasks of a collection share one run, that is one pass of the frozen network; a fine-tuned cell is a run of its
own, and gives its weights to the cells of the other collection.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

Mode = Literal["off-the-shelf", "fine-tune", "scratch", "joint"]
Part = Literal["source", "target", "common", "also"]
IMAGENET = "imagenet"
_OF_FIGURE = ("part", "collection", "task", "backbone", "mode", "weights")
_TRANSFERRED: tuple[Mode, ...] = ("off-the-shelf", "fine-tune")


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        collection: name of the collection it is trained on.
        tasks: one or several.
        backbone: as the user named it.
        mode: `joint` is a fine-tuning of all tasks at once.
        donor: name of the run whose backbone it starts from; None: ImageNet's weights, or none for scratch.
        seed: of the training.
        common: only classes that the source collection has too.
    """

    collection: str
    tasks: tuple[str, ...]
    backbone: str
    mode: Mode
    donor: str | None
    seed: int
    common: bool = False

    @cached_property
    def name(self) -> str:
        """Unique, and the run's folder below the experiment's."""
        start = "scratch" if self.mode == "scratch" else (self.donor or IMAGENET).replace("/", "-")
        tasks = "joint" if self.mode == "joint" else self.tasks[0] if len(self.tasks) == 1 else "all"
        common = "-common" if self.common else ""
        run = f"{tasks}{common}-{self.mode}-from-{start}-seed{self.seed}"
        return f"{self.collection}/{self.backbone}/{run}"


@dataclass(frozen=True)
class Cell:
    """One figure.

    Attributes:
        part: of the experiment.
        collection, task, backbone, mode, seed: of the run it comes from.
        weights: `imagenet`, the name of the source collection, or `none`.
        run: name of the run it comes from; None where there is none.
        problem: why there is none.
    """

    part: Part
    collection: str
    task: str
    backbone: str
    mode: Mode
    weights: str
    seed: int
    run: str | None = None
    problem: str | None = None

    @property
    def figure(self) -> dict[str, str]:
        """The attributes that all seeds of the figure share."""
        return {name: getattr(self, name) for name in _OF_FIGURE}


@dataclass(frozen=True)
class Collection:
    """A collection's part in the experiment.

    Attributes:
        name: as the report calls it.
        tasks: task name to the number of classes that the class rule leaves, or why it cannot be trained.
        common: task name to how many of its classes the source collection has too.
    """

    name: str
    tasks: Mapping[str, int | str]
    common: Mapping[str, int] = field(default_factory=dict)

    @property
    def usable(self) -> tuple[str, ...]:
        """The tasks that can be trained."""
        return tuple(task for task, classes in self.tasks.items() if isinstance(classes, int))


@dataclass(frozen=True)
class Matrix:
    """All cells and runs; the runs in an order in which a donor comes before its recipients."""

    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]

    def run(self, name: str) -> Run:
        """The run with a name."""
        return next(run for run in self.runs if run.name == name)


def build_matrix(
    source: Collection,
    targets: Sequence[Collection],
    backbones: Sequence[str],
    *,
    scratch: str,
    missing_weights: Mapping[str, str],
    pairs: Mapping[str, str],
    seeds: Sequence[int],
) -> Matrix:
    """Plan the experiment.

    Args:
        source: where the weights of the second part come from.
        targets: the collections of the second part, the paper's first.
        backbones: the networks.
        scratch: the network that is also trained from random weights.
        missing_weights: networks whose ImageNet weights are not available, and why. They are trained from scratch
            where that is asked for, and never from random weights under another name.
        pairs: target task to the source task that its weights come from; by default the task of the same name, else
            the source's first.
        seeds: of the trainings.
    """
    planner = _Planner(source, missing_weights, pairs)
    for seed, backbone in itertools.product(seeds, backbones):
        planner.add_source(backbone, seed, with_scratch=backbone == scratch)
    for index, target in enumerate(targets):
        for seed, backbone in itertools.product(seeds, backbones):
            planner.add_target(target, "also" if index else "target", backbone, seed)
    return Matrix(tuple(planner.cells), tuple(planner.runs.values()))


def build_matrix_of_networks(
    collections: Sequence[Collection],
    backbones: Sequence[str],
    *,
    missing_weights: Mapping[str, str],
    seeds: Sequence[int],
) -> Matrix:
    """Plan every network on every collection, off-the-shelf and fine-tuned.

    Args:
        collections: each with its tasks.
        backbones, missing_weights: see `build_matrix`.
        seeds: of the fine-tunings; frozen cells, whose heads are solved for, have the first alone.
    """
    cells: list[Cell] = []
    runs: dict[str, Run] = {}
    for collection in collections:
        planner = _Planner(collection, missing_weights, {}, cells, runs)
        for backbone in backbones:
            planner.add_frozen_and_tuned(backbone, seeds)
    return Matrix(tuple(cells), tuple(runs.values()))


@dataclass(frozen=True)
class _Planner:
    """Collects the cells in the order of the report, and with each the run it comes from.

    Attributes:
        source, missing_weights, pairs: see `build_matrix`.
        cells: planned so far.
        runs: planned so far, by name.
    """

    source: Collection
    missing_weights: Mapping[str, str]
    pairs: Mapping[str, str]
    cells: list[Cell] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)

    def add_source(self, backbone: str, seed: int, *, with_scratch: bool) -> None:
        modes: list[Mode] = ["off-the-shelf", "fine-tune"]
        modes += ["scratch"] if with_scratch else []
        modes += ["joint"] if len(self.source.usable) > 1 else []
        for mode, (task, classes) in itertools.product(modes, self.source.tasks.items()):
            weights = "none" if mode == "scratch" else IMAGENET
            cell = Cell("source", self.source.name, task, backbone, mode, weights, seed)
            self._add(cell, self.source, classes)

    def add_frozen_and_tuned(self, backbone: str, seeds: Sequence[int]) -> None:
        ways: list[tuple[Mode, int]] = [("off-the-shelf", seeds[0])]
        ways += [("fine-tune", seed) for seed in seeds]
        for (mode, seed), (task, classes) in itertools.product(ways, self.source.tasks.items()):
            cell = Cell("source", self.source.name, task, backbone, mode, IMAGENET, seed)
            self._add(cell, self.source, classes)

    def add_target(self, target: Collection, part: Part, backbone: str, seed: int) -> None:
        self._add_transfers(target, part, target.tasks, backbone, seed)
        if len(target.usable) > 1:
            for task in target.usable:
                cell = Cell(part, target.name, task, backbone, "joint", IMAGENET, seed)
                self._add(cell, target, target.tasks[task])
        if part == "target":
            common = {
                task: count if count > 1 else "no common classes" for task, count in target.common.items()
            }
            self._add_transfers(target, "common", common, backbone, seed)

    def _add_transfers(
        self, target: Collection, part: Part, tasks: Mapping[str, int | str], backbone: str, seed: int
    ) -> None:
        """ImageNet's and the source's weights, frozen and fine-tuned."""
        choices = itertools.product(tasks.items(), (IMAGENET, self.source.name), _TRANSFERRED)
        for (task, classes), weights, mode in choices:
            self._add(Cell(part, target.name, task, backbone, mode, weights, seed), target, classes)

    def _add(self, cell: Cell, collection: Collection, classes: int | str) -> None:
        """Add a cell, and its run if nothing prevents it."""
        donor = problem = None
        if isinstance(classes, str):
            problem = classes
        elif cell.mode != "scratch" and cell.backbone in self.missing_weights:
            problem = self.missing_weights[cell.backbone]
        elif cell.part != "source" and cell.weights != IMAGENET:
            donor = self._donor(cell)
            problem = None if donor else f"no weights of {self.source.name}"
        if problem is None:
            # Frozen and joint networks share a run with the other tasks.
            common = cell.part == "common"
            shared = cell.mode == "joint" or (cell.mode == "off-the-shelf" and not common)
            tasks = collection.usable if shared else (cell.task,)
            run = Run(collection.name, tasks, cell.backbone, cell.mode, donor, cell.seed, common)
            self.runs[run.name] = run
            cell = replace(cell, run=run.name)
        self.cells.append(replace(cell, problem=problem))

    def _donor(self, cell: Cell) -> str | None:
        """The name of the source's run whose weights a cell starts from; None if there is none."""
        usable = self.source.usable
        task = self.pairs.get(cell.task) or (cell.task if cell.task in usable else next(iter(usable), ""))
        run = Run(self.source.name, (task,), cell.backbone, "fine-tune", None, cell.seed)
        return run.name if task in usable else None
