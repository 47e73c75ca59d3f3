"""The results of the finished runs, cell by cell."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from arttl.documents import structured
from arttl.errors import ArttlError
from arttl.evaluation.compare import TaskComparison, compare_predictions
from arttl.experiment_report.tables import FigureText
from arttl.inference.predictions import Predictions
from arttl.reproduction.cells import Cell
from arttl.reproduction.experiment import Plan
from arttl.runs import RunFolder

# Measures, as `test.json` names them.
ACCURACY = "accuracy"
BALANCED = "balanced_accuracy"


@dataclass(frozen=True)
class Figures:
    """What a run's files must have of a task's figures."""

    accuracy: float

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1:
            raise ValueError(f"an accuracy of {self.accuracy}")


@dataclass(frozen=True)
class _TestFigures(Figures):
    """Of a task in `test.json`."""

    balanced_accuracy: float
    majority: float
    n: int
    classes: int
    intervals: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def value(self, measure: str) -> float:
        """A measure's value."""
        return self.accuracy if measure == ACCURACY else self.balanced_accuracy

    def interval(self, measure: str) -> tuple[float, float]:
        """A measure's interval over test samples; the value twice where it has none."""
        low, high = self.intervals.get(measure) or (self.value(measure), self.value(measure))
        return low, high

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(len(self.intervals.get(measure, (0, 0))) != 2 for measure in (ACCURACY, BALANCED)):
            raise ValueError("an interval that has not two ends")


@dataclass(frozen=True)
class _Test:
    """`test.json`; of its tasks only those that are reported are read."""

    tasks: dict[str, Any]


@dataclass(frozen=True)
class _Epoch:
    """A line of `metrics.jsonl`."""

    val_accuracy: dict[str, float]


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Give the errors of reading a finished run their remedy.

    Raises:
        ArttlError: in place of another.
    """
    try:
        yield
    except ArttlError as error:
        raise ArttlError(f"{error}; delete {folder} and repeat the command") from error


@dataclass(frozen=True)
class Measured:
    """A measure of one cell on the test split.

    Attributes:
        value: the mean over seeds.
        over_seeds: lowest and highest; equal with one seed.
        interval: 95% over test samples, of the first seed.
    """

    value: float
    over_seeds: tuple[float, float]
    interval: tuple[float, float]


@dataclass(frozen=True)
class Result:
    """One cell, over the seeds that are done.

    Attributes:
        cells: of the same figure, one per seed.
        measured: `ACCURACY` and `BALANCED`.
        majority: accuracy of always predicting the training split's most frequent class.
        samples: number of test samples.
        classes: number of classes.
    """

    cells: tuple[Cell, ...]
    measured: Mapping[str, Measured]
    majority: float
    samples: int
    classes: int

    def figure(self, text: str) -> FigureText:
        """A text of it in the report, which leads to the run of the first seed."""
        return FigureText(text, self.cells[0].run or "")

    @property
    def accuracy(self) -> float:
        """Share of correct predictions, the mean over seeds."""
        return self.measured[ACCURACY].value

    @property
    def interval(self) -> tuple[float, float]:
        """Of the accuracy."""
        return self.measured[ACCURACY].interval

    @property
    def balanced(self) -> float:
        """Mean-class accuracy, the mean over seeds."""
        return self.measured[BALANCED].value


class Results:
    """Reads run folders, each once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._test = lru_cache(maxsize=None)(_read_test)
        self._predictions = lru_cache(maxsize=64)(Predictions.read)

    def cells(self, **attributes: Any) -> list[Cell]:
        """The cells with the given attributes, of all seeds."""
        return [
            cell
            for cell in self.plan.matrix.cells
            if all(getattr(cell, name) == value for name, value in attributes.items())
        ]

    def figures(self, include: Callable[[Cell], bool]) -> list[list[Cell]]:
        """The cells of each figure, its seeds together, for the cells that a function is true for."""
        figures = defaultdict(list)
        for cell in filter(include, self.plan.matrix.cells):
            figures[tuple(cell.figure.values())].append(cell)
        return list(figures.values())

    def result(self, cells: Sequence[Cell]) -> Result | str:
        """The result of the cells of one figure; or why there is none."""
        done = [cell for cell in cells if self.is_done(cell)]
        if not done:
            return self.why_not(cells)
        metrics = [self._metrics(cell) for cell in done]
        measured = {}
        for measure in (ACCURACY, BALANCED):
            values = [of_seed.value(measure) for of_seed in metrics]
            ends = (min(values), max(values))
            measured[measure] = Measured(statistics.fmean(values), ends, metrics[0].interval(measure))
        first = metrics[0]
        return Result(tuple(done), measured, first.majority, first.n, first.classes)

    def is_done(self, cell: Cell) -> bool:
        """Whether the run of a cell is finished."""
        return cell.run is not None and self.plan.experiment.state(cell.run) == "done"

    def accuracy(self, cell: Cell) -> float:
        """The accuracy of a finished cell on the test split."""
        return self._metrics(cell).accuracy

    def why_not(self, cells: Iterable[Cell]) -> str:
        """Why cells have no figure, in a few words."""
        for cell in cells:
            if cell.problem:
                return cell.problem
            if cell.run and self.plan.experiment.state(cell.run) == "failed":
                return "failed"
            donor = self.plan.matrix.run(cell.run).donor if cell.run else None
            if donor and self.plan.experiment.state(donor) == "failed":
                return "the run that gives its weights failed"
        return "not run yet"

    def predictions(self, cell: Cell) -> Predictions:
        """The predictions of the cell's network on the test split."""
        return self._predictions(self.folder(cell))

    def folder(self, cell: Cell) -> Path:
        """The folder of a cell's run."""
        assert cell.run is not None
        return self.plan.experiment.folder(cell.run)

    def _metrics(self, cell: Cell) -> _TestFigures:
        """The metrics of the cell's task on the test split."""
        folder = self.folder(cell)
        with reading(folder):
            where = f"{folder / 'test.json'}: task {cell.task!r}"
            return structured(self._test(folder).tasks.get(cell.task), _TestFigures, where, surplus=True)

    def epochs(self, cell: Cell) -> list[float]:
        """The accuracy on the validation split after each epoch of training.

        None where the heads were solved for, or no sample of that split has a label of the task.
        """
        folder = self.folder(cell)
        with reading(folder):
            lines = [line for line in RunFolder(folder).metrics() if "epoch" in line]
            where = folder / "metrics.jsonl"
            epochs = [structured(line, _Epoch, where, surplus=True).val_accuracy for line in lines]
            known = [epoch[cell.task] for epoch in epochs if cell.task in epoch]
            if known and len(known) < len(epochs):
                raise ArttlError(f"{where} lacks {cell.task!r}")
        return known


def _read_test(folder: Path) -> _Test:
    return structured(RunFolder(folder).test(), _Test, folder / "test.json", surplus=True)


def compare_task(pairs: Sequence[tuple[Predictions, Predictions]], task: str) -> TaskComparison:
    """The comparison of `compare_predictions` on one task."""
    return next(comparison for comparison in compare_predictions(pairs) if comparison.task == task)
