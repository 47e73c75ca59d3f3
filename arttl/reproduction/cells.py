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
        return tuple(task for task, found in self.tasks.items() if isinstance(found, int))


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
    """Lay out the experiment.

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
    cells: list[Cell] = []
    runs: dict[str, Run] = {}

    def add(cell: Cell, run: Run | None) -> None:
        cells.append(cell)
        if run is not None:
            runs.setdefault(run.name, run)

    for seed in seeds:
        for cell, run in _source_cells(source, backbones, scratch, missing_weights, seed):
            add(cell, run)
    for place, target in enumerate(targets):
        part: Part = "also" if place else "target"
        for seed in seeds:
            for cell, run in _target_cells(source, target, part, backbones, missing_weights, pairs, seed):
                add(cell, run)
    return Matrix(tuple(cells), tuple(runs.values()))


def _source_cells(
    source: Collection, backbones: Sequence[str], scratch: str, missing: Mapping[str, str], seed: int
) -> Iterator[tuple[Cell, Run | None]]:
    for backbone in backbones:
        for mode in ("off-the-shelf", "fine-tune", "scratch", "joint"):
            if (mode == "scratch" and backbone != scratch) or (mode == "joint" and len(source.usable) < 2):
                continue
            for task, found in source.tasks.items():
                problem = found if isinstance(found, str) else None
                if problem is None and mode != "scratch":
                    problem = missing.get(backbone)
                run = None if problem else _run(source, (task,), backbone, mode, None, seed)
                weights = "none" if mode == "scratch" else IMAGENET
                yield _cell("source", source, task, backbone, mode, weights, seed, run, problem), run


def _target_cells(
    source: Collection,
    target: Collection,
    part: Part,
    backbones: Sequence[str],
    missing: Mapping[str, str],
    pairs: Mapping[str, str],
    seed: int,
) -> Iterator[tuple[Cell, Run | None]]:
    for backbone in backbones:
        for task, found in target.tasks.items():
            yield from _transfers(
                source, target, part, backbone, task, found, missing, pairs, seed, common=False
            )
        if len(target.usable) > 1:
            for task in target.usable:
                problem = missing.get(backbone)
                run = None if problem else _run(target, (task,), backbone, "joint", None, seed)
                yield _cell(part, target, task, backbone, "joint", IMAGENET, seed, run, problem), run
        if part == "target":
            for task, count in target.common.items():
                few: int | str = count if count > 1 else "no common classes"
                yield from _transfers(
                    source, target, "common", backbone, task, few, missing, pairs, seed, common=True
                )


def _transfers(
    source: Collection,
    target: Collection,
    part: Part,
    backbone: str,
    task: str,
    found: int | str,
    missing: Mapping[str, str],
    pairs: Mapping[str, str],
    seed: int,
    *,
    common: bool,
) -> Iterator[tuple[Cell, Run | None]]:
    """ImageNet's and the source's weights, frozen and fine-tuned."""
    problem = found if isinstance(found, str) else missing.get(backbone)
    donor_task = pairs.get(task) or (task if task in source.usable else next(iter(source.usable), None))
    for weights in (IMAGENET, source.name):
        trouble = problem
        donor = None
        if weights != IMAGENET and trouble is None:
            if donor_task is None or donor_task not in source.usable:
                trouble = f"no weights of {source.name}"
            else:
                donor = _run(source, (donor_task,), backbone, "fine-tune", None, seed).name
        for mode in ("off-the-shelf", "fine-tune"):
            run = None
            if trouble is None:
                run = _run(target, (task,), backbone, mode, donor, seed, common=common)
            yield _cell(part, target, task, backbone, mode, weights, seed, run, trouble), run


def _run(
    collection: Collection,
    tasks: tuple[str, ...],
    backbone: str,
    mode: Mode,
    donor: str | None,
    seed: int,
    *,
    common: bool = False,
) -> Run:
    """The run that answers for some tasks: for frozen and joint networks that of all tasks that can share it."""
    if mode == "joint" or (mode == "off-the-shelf" and not common):
        tasks = collection.usable
    start = "scratch" if mode == "scratch" else IMAGENET if donor is None else donor.replace("/", "-")
    what = "joint" if mode == "joint" else "-".join(tasks) if len(tasks) == 1 or common else "all"
    name = "/".join(
        [collection.name, backbone, f"{what}{'-common' if common else ''}-{mode}-from-{start}-seed{seed}"]
    )
    return Run(name, collection.name, tasks, backbone, mode, donor, seed, common)


def _cell(
    part: Part,
    collection: Collection,
    task: str,
    backbone: str,
    mode: Mode,
    weights: str,
    seed: int,
    run: Run | None,
    problem: str | None,
) -> Cell:
    return Cell(
        part, collection.name, task, backbone, mode, weights, seed, None if run is None else run.name, problem
    )
