"""The paper's tables, theirs and ours."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from arttl.experiment_report.tables import ReportTable
from arttl.reproduction.cells import IMAGENET, Cell
from arttl.reproduction.costs import network_size
from arttl.reproduction.experiment import Plan
from arttl.reproduction.published import Figure, published
from arttl.reproduction.results import ACCURACY, Result, Results

MISSING = "×"
_COMPARED = ("theirs", "ours", "difference", "balanced")
_HOW_TO_READ = (
    "Ours: the mean over seeds, with the 95% interval over test samples of the first, and the range over seeds where"
    " there are several. Theirs: the paper's, on the Rijksmuseum and Antwerp. Balanced: our mean-class accuracy;"
    " majority: the accuracy of always predicting the most frequent class."
)


def dataset_table(plan: Plan) -> ReportTable:
    """The paper's table of its data, for the collections at hand."""
    sizes = {
        (line.collection, line.task): f"{line.images:,} / {line.classes:,}"
        for line in published().datasets
        if line.source == "sabatelli2018"
    }
    rows = []
    for task in dict.fromkeys(task for collection in plan.collections.values() for task in collection.tasks):
        of_paper = itertools.chain(("rijksmuseum", "antwerp"), itertools.repeat(""))
        for (name, collection), paper in zip(plan.collections.items(), of_paper, strict=False):
            classes = collection.tasks.get(task, "no labels")
            if isinstance(classes, str):
                figures = (MISSING, MISSING if classes == "no labels" else classes, "")
            else:
                labelled = sum(labels is not None for labels in plan.manifests[name].labels(task))
                common = collection.common.get(task)
                share = "" if common is None else f"{100 * common / classes:.0f}%"
                figures = (f"{labelled:,}", f"{classes:,}", share)
            rows.append((task, name, *figures, sizes.get((paper, task), MISSING) if paper else ""))
    return ReportTable(
        "datasets",
        "The collections",
        ("task", "collection", "N", "Q", "in common", "paper: N / Q"),
        rows,
        (
            f"N: labelled pictures; Q: classes under the class rule; in common: share of the classes that the first"
            f" collection has too; {MISSING}: no such labels. The paper's pair is the Rijksmuseum and Antwerp.",
        ),
        names=2,
    )


def table_one(results: Results) -> ReportTable:
    """Off-the-shelf against fine-tuned on the first collection."""
    source = results.plan.source
    rows = []
    for (task, classes), backbone in itertools.product(source.tasks.items(), results.plan.settings.networks):
        parameters, width = network_size(backbone)
        parameters += (width + 1) * (classes if isinstance(classes, int) else 0)
        figures = [
            results.cells(part="source", task=task, backbone=backbone, weights=IMAGENET, mode=mode)
            for mode in ("off-the-shelf", "fine-tune")
        ]
        size = (f"{parameters / 1e6:.1f}", f"{width:,}")
        rows.append((task, backbone, *size, *_figures(results, *figures)))
    return ReportTable(
        "table-1",
        f"Table 1: {source.name}, test accuracy in per cent",
        (
            *("task", "network", "params", "X"),
            *(f"{mode}: {heading}" for mode in ("off-the-shelf", "fine-tuned") for heading in _COMPARED),
            "majority",
        ),
        rows,
        (_HOW_TO_READ, "Params: millions, with the head; X: width of the features."),
        names=2,
    )


def table_two(results: Results, collection: str) -> ReportTable:
    """ImageNet's weights against the first collection's on another."""
    plan = results.plan
    ways = [
        (weights, mode) for mode in ("off-the-shelf", "fine-tune") for weights in (IMAGENET, plan.source.name)
    ]
    rows = []
    for task, backbone in itertools.product(plan.collections[collection].tasks, plan.settings.networks):
        of_row = {"collection": collection, "task": task, "backbone": backbone}
        figures = [
            [cell for cell in results.cells(**of_row, weights=weights, mode=mode) if cell.part != "common"]
            for weights, mode in ways
        ]
        rows.append((task, backbone, *_figures(results, *figures, majority=-1)))
    return ReportTable(
        f"table-2-{collection}",
        f"Table 2: {collection}, test accuracy in per cent",
        (
            *("task", "network"),
            *(
                f"{weights}, {'frozen' if mode == 'off-the-shelf' else 'fine-tuned'}: {heading}"
                for weights, mode in ways
                for heading in _COMPARED
            ),
            "majority",
        ),
        rows,
        (_HOW_TO_READ,),
        names=2,
    )


def further_table(results: Results) -> ReportTable:
    """What the paper shows as curves: training from scratch, and the classes that both collections have."""
    rows = []
    for cells in results.figures(lambda cell: cell.mode == "scratch" or cell.part == "common"):
        cell = cells[0]
        comparison = "classes in common" if cell.part == "common" else "from scratch"
        weights = cell.weights if cell.mode == "scratch" else f"{cell.weights}, {cell.mode}"
        names = (comparison, cell.collection, cell.task, cell.backbone, weights)
        rows.append((*names, *_figures(results, cells)))
    return ReportTable(
        "further",
        "From scratch and on the classes in common, test accuracy in per cent",
        ("what", "collection", "task", "network", "weights", *_COMPARED, "majority"),
        rows,
        names=5,
    )


def _figures(results: Results, *figures: Sequence[Cell], majority: int = 0) -> list[str]:
    """The texts below `_COMPARED` for each of some figures, and the majority's accuracy as one of them has it."""
    result = results.result(figures[majority]) if figures[majority] else ""
    last = "" if isinstance(result, str) else f"{100 * result.majority:.1f}"
    return [*(text for cells in figures for text in _theirs_and_ours(results, cells)), last]


def _theirs_and_ours(results: Results, cells: Sequence[Cell]) -> tuple[str, str, str, str]:
    """The texts below `_COMPARED` for the cells of one figure."""
    if not cells:
        return "", "not part of this", "", ""
    # The paper shows some figures as curves only, which are on the validation split.
    split = "val" if cells[0].mode == "scratch" or cells[0].part == "common" else "test"
    result, figure = results.result(cells), published().of_cell(cells[0], split)
    theirs = theirs_text(figure)
    if isinstance(result, str):
        return theirs, result, "", ""
    difference = "" if figure is None else f"{100 * result.accuracy - figure.value:+.1f}"
    balanced = result.figure(f"{100 * result.balanced:.1f}")
    return theirs, ours(result, ACCURACY), difference, balanced


def theirs_text(figure: Figure | None) -> str:
    """A published figure; nothing where there is none."""
    return "" if figure is None else f"{figure.value:.2f}".rstrip("0").rstrip(".")


def ours(result: Result, measure: str) -> str:
    """A measure in per cent, its interval, and the range over seeds where there are several."""
    measured = result.measured[measure]
    text = f"{100 * measured.value:.1f} ({_range(measured.interval)})"
    return result.figure(text if len(result.cells) == 1 else f"{text} [{_range(measured.over_seeds)}]")


def _range(ends: tuple[float, float]) -> str:
    return "–".join(f"{100 * end:.1f}" for end in ends)


def later_table(shown: str) -> ReportTable:
    """What others than the paper have published on the same data.

    Args:
        shown: the source whose figures the report has elsewhere.
    """
    rows = []
    for figure in published().figures:
        if figure.source not in ("sabatelli2018", shown):
            source = published().sources[figure.source]
            value = f"{figure.value:g}{' years' if 'error' in figure.measure else '%'}"
            names = (figure.task, figure.network, figure.mode or "", figure.classes or "", figure.measure)
            rows.append((f"{source.authors}, {source.venue}", *names, value))
    return ReportTable(
        "later-results",
        "Other published results on the Rijksmuseum's data",
        ("source", "task", "network", "mode", "classes", "measure", "value"),
        rows,
        ("Other splits and classes: not to be compared line by line.",),
        names=6,
        folded=True,
    )
