"""The validation curves, as in the paper: one line per network and mode, the published best marked."""

from __future__ import annotations

import io

from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.published import published
from arttl.reproduction.results import Results

# Okabe and Ito's, which stay apart for every kind of colour blindness.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_STYLES = {"fine-tune": "-", "scratch": ":", "joint": "--"}


def validation_curves(results: Results, collection: str, task: str) -> bytes | None:
    """Accuracy on the validation split after each epoch, of every network that was trained on a task.

    Where the paper has a curve of the same network, mode and task, a star marks its best value at its epoch.

    Args:
        results: of the runs.
        collection: name of the collection.
        task: one of its tasks.

    Returns:
        A PNG; None if no network was trained on it by epochs.
    """
    from matplotlib.figure import Figure

    cells = [
        cell
        for cell in results.cells(collection=collection, task=task, seed=0)
        if cell.mode in _STYLES and cell.part != "common" and results.is_done(cell)
    ]
    if not cells:
        return None
    figure = Figure(figsize=(7.0, 4.0))
    axes = figure.add_subplot()
    networks = list(dict.fromkeys(cell.backbone for cell in cells))
    for cell in cells:
        # A network beyond the colours has one of them again, with crosses in place of dots.
        again, colour_index = divmod(networks.index(cell.backbone), len(_COLOURS))
        colour = _COLOURS[colour_index]
        values = [100 * accuracy for accuracy in results.epochs(cell)]
        axes.plot(
            range(1, len(values) + 1),
            values,
            _STYLES[cell.mode],
            color=colour,
            marker="x" if again else "." if len(values) < 25 else None,
            linewidth=1.6 if cell.weights == IMAGENET else 1.0,
            label=_label(cell),
        )
        of_paper = results.plan.settings.protocol == "sabatelli2018" and cell.part == "source"
        if of_paper and (best := published().of_cell(cell, "val")):
            axes.plot((best.epoch or 0) + 1, best.value, "*", color=colour, markersize=10)
    axes.set(xlabel="epoch", ylabel="validation accuracy, per cent")
    axes.set_title(f"{collection}: {task}", loc="left", parse_math=False)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    for text in legend.get_texts():
        text.set_parse_math(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    return file.getvalue()


def _label(cell: Cell) -> str:
    weights = "" if cell.weights in (IMAGENET, "none") else f", from {cell.weights}"
    return f"{cell.backbone}, {cell.mode}{weights}"
