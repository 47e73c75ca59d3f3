"""The validation curves, as in the paper: one line per network and mode, the published best marked."""

from __future__ import annotations

from arttl.experiment_report.plots import Curve, Plot
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.published import published
from arttl.reproduction.results import Results

_MODES = ("fine-tune", "scratch", "joint")


def validation_curves(results: Results, collection: str, task: str) -> Plot | None:
    """Accuracy on the validation split after each epoch, of every network that was trained on a task.

    Where the paper has a curve of the same network, mode and task, its best value is marked at its epoch.

    Args:
        results: of the runs.
        collection: name of the collection.
        task: one of its tasks.

    Returns:
        The curves; None if no network was trained on it by epochs.
    """
    cells = [
        cell
        for cell in results.cells(collection=collection, task=task, seed=0)
        if cell.mode in _MODES and cell.part != "common" and results.is_done(cell)
    ]
    curves = [_curve(results, cell) for cell in cells if results.epochs(cell)]
    return Plot(f"{collection}: {task}" if collection != task else task, curves) if curves else None


def _curve(results: Results, cell: Cell) -> Curve:
    of_paper = results.plan.settings.protocol == "sabatelli2018" and cell.part == "source"
    best = published().of_cell(cell, "val") if of_paper else None
    assert cell.run is not None
    return Curve(
        cell.backbone,
        cell.mode,
        "" if cell.weights in (IMAGENET, "none") else cell.weights,
        [100 * accuracy for accuracy in results.epochs(cell)],
        cell.run,
        None if best is None else ((best.epoch or 0) + 1, best.value),
    )
