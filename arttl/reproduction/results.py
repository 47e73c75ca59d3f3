"""What the finished runs came to, cell by cell."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from arttl.inference.saved import SavedPredictions, read_predictions
from arttl.reproduction.cells import Cell, Matrix
from arttl.reproduction.running import Experiment
from arttl.runs import RunFolder


@dataclass(frozen=True)
class Result:
    """One cell, over the seeds that are done.

    Attributes:
        cells: of the same figure, a seed each.
        accuracy: share of right answers on the test split, the mean over seeds.
        over_seeds: lowest and highest; equal with one seed.
        interval: 95% over test samples, of the first seed.
        balanced: mean-class accuracy, the mean over seeds.
        majority: accuracy of always answering the training split's most frequent class.
        samples: tested.
        classes: of the vocabulary.
    """

    cells: tuple[Cell, ...]
    accuracy: float
    over_seeds: tuple[float, float]
    interval: tuple[float, float]
    balanced: float
    majority: float
    samples: int
    classes: int


class Results:
    """Reads run folders, each once."""

    def __init__(self, experiment: Experiment, matrix: Matrix) -> None:
        self.experiment, self.matrix = experiment, matrix
        self._test = lru_cache(maxsize=None)(lambda folder: RunFolder(folder).test())
        self._predictions = lru_cache(maxsize=64)(read_predictions)

    def cells(self, **wanted: Any) -> list[Cell]:
        """The cells with the given attributes, of all seeds."""
        return [
            cell
            for cell in self.matrix.cells
            if all(getattr(cell, name) == value for name, value in wanted.items())
        ]

    def result(self, cells: Sequence[Cell]) -> Result | str:
        """What some cells, the same but for the seed, came to; or why there is no figure."""
        done = [cell for cell in cells if self.is_done(cell)]
        if not done:
            return self.why_not(cells)
        found = [self._test(self.folder(cell))["tasks"][cell.task] for cell in done]
        accuracies = [float(one["accuracy"]) for one in found]
        low, high = found[0]["intervals"].get("accuracy", (accuracies[0], accuracies[0]))
        return Result(
            tuple(done),
            statistics.fmean(accuracies),
            (min(accuracies), max(accuracies)),
            (float(low), float(high)),
            statistics.fmean(float(one["balanced_accuracy"]) for one in found),
            float(found[0]["majority"]),
            int(found[0]["n"]),
            int(found[0]["classes"]),
        )

    def is_done(self, cell: Cell) -> bool:
        """Whether there is a finished run behind a cell."""
        return cell.run is not None and self.experiment.state(cell.run) == "done"

    def accuracy(self, cell: Cell) -> float:
        """The accuracy of a finished cell on the test split."""
        return float(self._test(self.folder(cell))["tasks"][cell.task]["accuracy"])

    def why_not(self, cells: Iterable[Cell]) -> str:
        """Why cells have no figure, in a few words."""
        for cell in cells:
            if cell.problem:
                return cell.problem
            if cell.run and self.experiment.state(cell.run) == "failed":
                return "failed"
            donor = self.matrix.run(cell.run).donor if cell.run else None
            if donor and self.experiment.state(donor) == "failed":
                return "the run that gives its weights failed"
        return "not run yet"

    def predictions(self, cell: Cell) -> SavedPredictions:
        """What the cell's network said of the test split."""
        return self._predictions(self.folder(cell))

    def folder(self, cell: Cell) -> Path:
        """The folder of a cell's run."""
        assert cell.run is not None
        return self.experiment.folder(cell.run)

    def epochs(self, cell: Cell) -> list[dict[str, Any]]:
        """The lines of the cell's training, an epoch each; none where the heads were solved for."""
        return [line for line in RunFolder(self.folder(cell)).metrics() if "epoch" in line]
