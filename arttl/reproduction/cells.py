"""The matrix of the experiment: every figure that the report will show, and the run it comes from.

A cell is one figure of a table, a run is one training. Off-the-shelf heads of different tasks do not touch each other,
so all tasks of a collection share one run, that is one pass of the frozen network; a fine-tuned cell is a run of its
own, and gives its weights to the cells of the other collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
        name: unique, and its folder below the experiment's.
        collection: on which.
        tasks: of the run, one or several.
        backbone: as the user named it.
        mode: `joint` is a fine-tuning of all tasks at once.
        donor: name of the run whose backbone it starts from; None: ImageNet's weights, or none for scratch.
        seed: of the training.
        common: only classes that the source collection has too.
    """

    name: str
    collection: str
    tasks: tuple[str, ...]
    backbone: str
    mode: Mode
    donor: str | None
    seed: int
    common: bool = False


@dataclass(frozen=True)
class Cell:
    """One figure.

    Attributes:
        part: which part of the experiment.
        collection, task, backbone, mode: of it.
        weights: `imagenet`, the name of the source collection, or `none`.
        run: the run it comes from; None where it cannot be had.
        problem: why it cannot be had.
        seed: of the run.
    """

    part: Part
    collection: str
    task: str
    backbone: str
    mode: Mode
    weights: str
    seed: int
    run: str | None
    problem: str | None = None

    @property
    def figure(self) -> dict[str, str]:
        """What is the same for all seeds of the figure, by attribute."""
        return {name: getattr(self, name) for name in _OF_FIGURE}


@dataclass(frozen=True)
class Collection:
    """A collection's part in the experiment.

    Attributes:
        name: as the report calls it.
        tasks: task name to the number of classes that the class rule leaves, or why the task cannot be.
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
    """All cells and runs; the runs in an order in which a donor comes before those it gives to."""

    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]

    def run(self, name: str) -> Run:
        """The run of a name."""
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
        missing_weights: networks whose ImageNet weights are not here, and why. They are trained from scratch where
            that is asked for, and never from random weights under another name.
        pairs: target task to the source task whose weights serve it; by default the task of the same name, else the
            source's first.
        seeds: of the trainings.
    """
    planned: list[_Planned] = []
    for seed in seeds:
        for backbone in backbones:
            missing = missing_weights.get(backbone)
            planned += _source_cells(source, backbone, missing, seed, with_scratch=backbone == scratch)
    for index, target in enumerate(targets):
        part: Part = "also" if index else "target"
        for seed in seeds:
            for backbone in backbones:
                missing = missing_weights.get(backbone)
                planned += _target_cells(source, target, part, backbone, missing, pairs, seed)
    runs = {run.name: run for _, run in planned if run is not None}
    return Matrix(tuple(cell for cell, _ in planned), tuple(runs.values()))


_Planned = tuple[Cell, Run | None]


def _source_cells(
    source: Collection, backbone: str, missing: str | None, seed: int, *, with_scratch: bool
) -> Iterator[_Planned]:
    modes: list[Mode] = ["off-the-shelf", "fine-tune"]
    modes += ["scratch"] if with_scratch else []
    modes += ["joint"] if len(source.usable) > 1 else []
    for mode in modes:
        for task, classes in source.tasks.items():
            without_weights = missing if mode != "scratch" else None
            problem = classes if isinstance(classes, str) else without_weights
            weights = "none" if mode == "scratch" else IMAGENET
            yield _planned("source", source, task, backbone, mode, weights, seed, problem)


def _target_cells(
    source: Collection,
    target: Collection,
    part: Part,
    backbone: str,
    missing: str | None,
    pairs: Mapping[str, str],
    seed: int,
) -> Iterator[_Planned]:
    yield from _transfers(source, target, part, target.tasks, backbone, missing, pairs, seed)
    if len(target.usable) > 1:
        for task in target.usable:
            yield _planned(part, target, task, backbone, "joint", IMAGENET, seed, missing)
    if part == "target":
        common = {task: count if count > 1 else "no common classes" for task, count in target.common.items()}
        yield from _transfers(source, target, "common", common, backbone, missing, pairs, seed)


def _transfers(
    source: Collection,
    target: Collection,
    part: Part,
    tasks: Mapping[str, int | str],
    backbone: str,
    missing: str | None,
    pairs: Mapping[str, str],
    seed: int,
) -> Iterator[_Planned]:
    """ImageNet's and the source's weights, frozen and fine-tuned."""
    for task, classes in tasks.items():
        donor_task = pairs.get(task) or (task if task in source.usable else next(iter(source.usable), ""))
        for weights in (IMAGENET, source.name):
            problem = classes if isinstance(classes, str) else missing
            donor = None
            if weights != IMAGENET and problem is None:
                if donor_task in source.usable:
                    donor = _run(source, donor_task, backbone, "fine-tune", None, seed).name
                else:
                    problem = f"no weights of {source.name}"
            for mode in _TRANSFERRED:
                yield _planned(part, target, task, backbone, mode, weights, seed, problem, donor)


def _planned(
    part: Part,
    collection: Collection,
    task: str,
    backbone: str,
    mode: Mode,
    weights: str,
    seed: int,
    problem: str | None,
    donor: str | None = None,
) -> _Planned:
    """A cell and, where nothing is in its way, its run."""
    run = None
    if problem is None:
        run = _run(collection, task, backbone, mode, donor, seed, common=part == "common")
    name = None if run is None else run.name
    return Cell(part, collection.name, task, backbone, mode, weights, seed, name, problem), run


def _run(
    collection: Collection,
    task: str,
    backbone: str,
    mode: Mode,
    donor: str | None,
    seed: int,
    *,
    common: bool = False,
) -> Run:
    """The run that a cell comes from: for frozen and joint networks that of all tasks that can share it."""
    shared = mode == "joint" or (mode == "off-the-shelf" and not common)
    tasks = collection.usable if shared else (task,)
    start = "scratch" if mode == "scratch" else IMAGENET if donor is None else donor.replace("/", "-")
    what = "joint" if mode == "joint" else tasks[0] if len(tasks) == 1 else "all"
    name = f"{what}{'-common' if common else ''}-{mode}-from-{start}-seed{seed}"
    path = f"{collection.name}/{backbone}/{name}"
    return Run(path, collection.name, tasks, backbone, mode, donor, seed, common)
