"""The validation curves, as in the paper: a line a network and mode, the published best marked."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from arttl.errors import ArttlError
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.published import Figure as PublishedFigure
from arttl.reproduction.published import published
from arttl.reproduction.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito's, colour-blind safe
_STYLES = {"fine-tune": "-", "scratch": ":", "joint": "--"}


def validation_curves(results: Results, collection: str, task: str) -> bytes | None:
    """Accuracy on the validation split after each epoch, of every network that was trained on a task.

    Where the paper has a curve of the same network, mode and task, a star marks its best value at its epoch.

    Args:
        results: of the runs.
        collection: whose.
        task: which.

    Returns:
        A PNG; None if no network was trained on it by epochs.

    Raises:
        ArttlError: if matplotlib is not installed.
    """
    cells = [
        cell
        for cell in results.cells(collection=collection, task=task, seed=0)
        if cell.mode in _STYLES and cell.part != "common" and not isinstance(results.result([cell]), str)
    ]
    if not cells:
        return None
    figure, axes = _empty()
    networks = list(dict.fromkeys(cell.backbone for cell in cells))
    for cell in cells:
        values = [100 * epoch["val_accuracy"][task] for epoch in results.epochs(cell)]
        axes.plot(
            range(1, len(values) + 1),
            values,
            _STYLES[cell.mode],
            color=_COLOURS[networks.index(cell.backbone) % len(_COLOURS)],
            marker="." if len(values) < 25 else None,
            linewidth=1.6 if cell.weights == IMAGENET else 1.0,
            label=_label(cell),
        )
        if best := _published_best(cell):
            axes.plot(
                (best.epoch or 0) + 1,
                best.value,
                "*",
                color=_COLOURS[networks.index(cell.backbone) % len(_COLOURS)],
                markersize=10,
            )
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation accuracy, per cent")
    axes.set_title(f"{collection}: {task}", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight")
    return file.getvalue()


def _empty() -> tuple[Figure, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ArttlError('the report\'s curves need matplotlib: pip install "arttl[plots]"') from error
    figure = Figure(figsize=(7.0, 4.0))
    return figure, figure.add_subplot()


def _label(cell: Cell) -> str:
    weights = "" if cell.weights in (IMAGENET, "none") else f", from {cell.weights}"
    return f"{cell.backbone}, {cell.mode}{weights}"


def _published_best(cell: Cell) -> PublishedFigure | None:
    if cell.part != "source":
        return None
    found = published().find(
        source="sabatelli2018",
        collection="rijksmuseum",
        task=cell.task,
        network=cell.backbone,
        mode=cell.mode,
        weights=cell.weights,
        split="val",
    )
    return found[0] if found else None
