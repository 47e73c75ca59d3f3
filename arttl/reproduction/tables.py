"""The paper's tables, theirs and ours: rows of text, ready for a terminal, a page or a file."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import rich.box
import rich.console
import rich.table
import rich.text

from arttl.models import Backbone
from arttl.reproduction.cells import IMAGENET, Cell, Collection
from arttl.reproduction.experiment import Plan
from arttl.reproduction.published import Figure, published
from arttl.reproduction.results import Result, Results

MISSING = "×"
_PUBLISHED_COLLECTION = {"source": "rijksmuseum", "target": "antwerp", "common": "antwerp"}


@dataclass(frozen=True)
class ReportTable:
    """A table.

    Attributes:
        name: of its file.
        title: above it.
        columns: headings; the first columns name a row, the others hold figures.
        rows: of text.
        notes: sentences below it.
        names: how many columns name a row.
        folded: on the page only the title is shown at first.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    names: int = 1
    folded: bool = False

    def to_csv(self) -> str:
        """Comma-separated, with a heading."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def to_markdown(self) -> str:
        """A pipe table with its title and notes."""
        alignment = ["---"] * self.names + ["---:"] * (len(self.columns) - self.names)
        lines = [self.columns, alignment, *self.rows]
        body = "\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines)
        return "\n\n".join([f"### {self.title}", body, *self.notes]) + "\n"

    def groups(self) -> list[tuple[str, list[str]]]:
        """The columns of figures: the headings of each `group: heading`, one empty heading for a column of no group."""
        parts = (column.partition(": ") for column in self.columns[self.names :])
        return [
            (group, [heading for _, _, heading in columns])
            for group, columns in itertools.groupby(parts, key=lambda part: part[0])
        ]

    def spans(self, row: Sequence[str]) -> list[tuple[str, int]]:
        """The figures of a row and over how many columns each goes: words over the empty cells of their group too."""
        groups = [column.partition(": ")[0] for column in self.columns]
        spans: list[tuple[str, int]] = []
        for index in range(self.names, len(row)):
            if not row[index] and groups[index] == groups[index - 1] and spans and spans[-1][0][:1].isalpha():
                spans[-1] = (spans[-1][0], spans[-1][1] + 1)
            else:
                spans.append((row[index], 1))
        return spans

    def to_rich(self, width: int) -> list[rich.console.RenderableType]:
        """For the terminal: one table where it fits, else one per group of columns, all with the row's names.

        Columns named `group: heading` are of a group; those of none stand together. Where that is still too wide,
        intervals are left out.

        Args:
            width: of the terminal, in characters.
        """
        figures = range(self.names, len(self.columns))
        parts: dict[str, list[int]] = {"": []}  # what is of no group comes first
        for index in figures:
            group, colon, _ = self.columns[index].partition(": ")
            parts.setdefault(group if colon else "", []).append(index)
        if self._width(self.columns, figures) <= width:
            parts = {"": list(figures)}
        shown: list[rich.console.RenderableType] = []
        for group, indices in parts.items():
            if indices:
                title = f"{self.title}: {group}" if group else self.title
                shown += [rich.text.Text(title, style="italic"), self._rich(indices, width), ""]
        notes = [rich.text.Text(note, style="dim") for note in self.notes]
        return [*shown, *notes, *([""] if notes else [])]

    def _width(self, headings: Sequence[str], indices: Sequence[int]) -> int:
        """In characters, of the names and some columns of figures, a blank between two."""
        return sum(
            1 + max(len(headings[index]), *(len(row[index]) for row in self.rows), 0)
            for index in (*range(self.names), *indices)
        )

    def _rich(self, indices: Sequence[int], width: int) -> rich.table.Table:
        headings = list(self.columns)
        if len({self.columns[index].partition(": ")[0] for index in indices}) == 1:
            headings = [column.rpartition(": ")[2] for column in headings]
        whole = self._width(headings, indices) <= width
        table = rich.table.Table(box=rich.box.SIMPLE_HEAD, show_edge=False, padding=0)
        for index in range(self.names):
            table.add_column(headings[index], no_wrap=True)
        for index in indices:
            table.add_column(headings[index], justify="right", overflow="fold")
        for row in self.rows:
            figures = [row[index] if whole else row[index].partition(" (")[0] for index in indices]
            table.add_row(*row[: self.names], *figures)
        return table


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def dataset_table(laid: Plan) -> ReportTable:
    """The paper's table of its data, for the pair at hand."""
    rows = []
    published_sizes = {
        (line.collection, line.task): f"{line.images:,} / {line.classes:,}" for line in published().datasets
    }
    tasks = dict.fromkeys(task for collection in laid.collections.values() for task in collection.tasks)
    for task in tasks:
        of_paper = itertools.chain(("rijksmuseum", "antwerp"), itertools.repeat(None))
        for (name, collection), paper in zip(laid.collections.items(), of_paper, strict=False):
            classes = collection.tasks.get(task, "no labels")
            if isinstance(classes, int):
                common = (
                    f"{100 * collection.common[task] / classes:.0f}%" if task in collection.common else ""
                )
                labelled = sum(labels is not None for labels in laid.manifests[name].labels(task))
                figures = (f"{labelled:,}", f"{classes:,}", common)
            else:
                figures = (MISSING, MISSING if classes == "no labels" else classes, "")
            theirs = published_sizes.get((paper, task), MISSING) if paper else ""
            rows.append((task, name, *figures, theirs))
    return ReportTable(
        "datasets",
        "The collections",
        ("task", "collection", "N", "Q", "in common", "paper: N / Q"),
        tuple(rows),
        (
            f"N: labelled pictures; Q: classes under the class rule; in common: share of the classes that the first"
            f" collection has too; {MISSING}: no such labels. The paper's pair is the Rijksmuseum and Antwerp.",
        ),
        names=2,
    )


def table_one(results: Results, collection: Collection, backbones: Sequence[str]) -> ReportTable:
    """Off-the-shelf against fine-tuned on the first collection."""
    rows = []
    for task in collection.tasks:
        for backbone in backbones:
            of_cell = {"part": "source", "task": task, "backbone": backbone, "weights": IMAGENET}
            classes = collection.tasks[task]
            row = [task, backbone, *_size(backbone, classes if isinstance(classes, int) else 0)]
            for mode in ("off-the-shelf", "fine-tune"):
                row += _theirs_and_ours(results, results.cells(**of_cell, mode=mode))
            rows.append((*row, _majority(results, results.cells(**of_cell, mode="off-the-shelf"))))
    return ReportTable(
        "table-1",
        f"Table 1: {collection.name}, test accuracy in per cent",
        (
            *("task", "network", "params", "X"),
            *(f"off-the-shelf: {heading}" for heading in _THEIRS_AND_OURS),
            *(f"fine-tuned: {heading}" for heading in _THEIRS_AND_OURS),
            "majority",
        ),
        tuple(rows),
        (_HOW_TO_READ, "Params: millions, with the head; X: width of the features."),
        names=2,
    )


def table_two(results: Results, source: str, collection: Collection, backbones: Sequence[str]) -> ReportTable:
    """ImageNet's weights against the first collection's on the second."""
    rows = []
    columns = [(weights, mode) for mode in ("off-the-shelf", "fine-tune") for weights in (IMAGENET, source)]
    for task in collection.tasks:
        for backbone in backbones:
            row = [task, backbone]
            for weights, mode in columns:
                cells = results.cells(
                    collection=collection.name, task=task, backbone=backbone, weights=weights, mode=mode
                )
                cells = [cell for cell in cells if cell.part != "common"]
                row += _theirs_and_ours(results, cells)
            rows.append((*row, _majority(results, cells)))
    return ReportTable(
        f"table-2-{collection.name}",
        f"Table 2: {collection.name}, test accuracy in per cent",
        (
            *("task", "network"),
            *(
                f"{weights}, {'frozen' if mode == 'off-the-shelf' else 'fine-tuned'}: {whose}"
                for weights, mode in columns
                for whose in _THEIRS_AND_OURS
            ),
            "majority",
        ),
        tuple(rows),
        (_HOW_TO_READ,),
        names=2,
    )


_HOW_TO_READ = (
    "Ours: the mean over seeds, with the 95% interval over test samples of the first, and the range over seeds where"
    " there are several. Theirs: the paper's, on the Rijksmuseum and Antwerp. Balanced: our mean-class accuracy;"
    " majority: the accuracy of always predicting the most frequent class."
)


def further_table(results: Results, backbones: Sequence[str]) -> ReportTable:
    """What the paper shows as curves: training from scratch, and the classes that both collections have."""
    rows = []
    shown = [cell for cell in results.matrix.cells if cell.mode == "scratch" or cell.part == "common"]
    for figure in dict.fromkeys(tuple(cell.figure.items()) for cell in shown):
        cells = results.cells(**dict(figure))
        cell = cells[0]
        what = "classes in common" if cell.part == "common" else "from scratch"
        weights = cell.weights if cell.mode == "scratch" else f"{cell.weights}, {cell.mode}"
        figures = (*_theirs_and_ours(results, cells), _majority(results, cells))
        rows.append((what, cell.collection, cell.task, cell.backbone, weights, *figures))
    return ReportTable(
        "further",
        "From scratch, and on the classes in common: test accuracy in per cent",
        ("what", "collection", "task", "network", "weights", *_THEIRS_AND_OURS, "majority"),
        tuple(rows),
        names=5,
    )


_THEIRS_AND_OURS = ("theirs", "ours", "difference", "balanced")


def _theirs_and_ours(results: Results, cells: Sequence[Cell]) -> tuple[str, str, str, str]:
    result = results.result(cells) if cells else "not part of this"
    figure = None
    if cells:
        # What the paper shows as curves only is on the validation split.
        curve = cells[0].mode == "scratch" or cells[0].part == "common"
        figure = published_figure(cells[0], "val" if curve else "test")
    theirs = "" if figure is None else f"{figure.value:.2f}".rstrip("0").rstrip(".")
    if isinstance(result, str):
        return theirs, result, "", ""
    difference = "" if figure is None else f"{100 * result.accuracy - figure.value:+.1f}"
    return theirs, _ours(result), difference, f"{100 * result.balanced:.1f}"


def _ours(result: Result) -> str:
    low, high = result.interval
    text = f"{100 * result.accuracy:.1f} ({100 * low:.1f}–{100 * high:.1f})"
    if len(result.cells) > 1:
        text += f" [{100 * result.over_seeds[0]:.1f}–{100 * result.over_seeds[1]:.1f}]"
    return text


def _majority(results: Results, cells: Sequence[Cell]) -> str:
    result = results.result(cells) if cells else ""
    return "" if isinstance(result, str) else f"{100 * result.majority:.1f}"


def published_figure(cell: Cell, split: str) -> Figure | None:
    """The paper's accuracy for a cell on a split, whatever collections are at hand."""
    collection = _PUBLISHED_COLLECTION.get(cell.part)
    if collection is None or cell.mode == "joint":
        return None
    figures = published().find(
        source="sabatelli2018",
        collection=collection,
        task=cell.task,
        network=cell.backbone.removeprefix("keras_").removeprefix("keras2018_"),
        mode=cell.mode,
        weights=cell.weights if cell.weights in (IMAGENET, "none") else "rijksmuseum",
        measure="accuracy",
        split=split,
        classes="common" if cell.part == "common" else None,
    )
    return figures[0] if figures else None


@lru_cache(maxsize=64)
def network_size(backbone: str) -> tuple[int, int]:
    """How many parameters a network has without a head, and the width of its features."""
    network = Backbone(backbone)
    return sum(parameter.numel() for parameter in network.parameters()), network.num_features


def _size(backbone: str, classes: int) -> tuple[str, str]:
    parameters, width = network_size(backbone)
    return f"{(parameters + (width + 1) * classes) / 1e6:.1f}", f"{width:,}"


def later_table() -> ReportTable:
    """What others have published on the same data."""
    rows = []
    for figure in published().figures:
        if figure.source != "sabatelli2018":
            source = published().sources[figure.source]
            value = f"{figure.value:g}{' years' if 'error' in figure.measure else '%'}"
            what = (figure.task, figure.network, figure.mode or "", figure.classes or "", figure.measure)
            rows.append((f"{source.authors}, {source.venue}", *what, value))
    return ReportTable(
        "later-results",
        "Other published results on the Rijksmuseum's data",
        ("source", "task", "network", "mode", "classes", "measure", "value"),
        tuple(rows),
        ("Other splits and classes: not to be compared line by line.",),
        names=6,
        folded=True,
    )
