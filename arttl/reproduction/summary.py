"""What the report says first: the main figures, why others are missing, and the pairs that decide the claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from arttl.evaluation.report import measure_text
from arttl.experiment_report.tables import FigureText, ReportTable
from arttl.reproduction.cells import IMAGENET, Cell, Mode
from arttl.reproduction.claims import Claim
from arttl.reproduction.joint import change_texts
from arttl.reproduction.results import Result, Results

_MODES: dict[Mode, str] = {"off-the-shelf": "off-the-shelf", "fine-tune": "fine-tuned", "joint": "joint"}


def main_figures(results: Results) -> ReportTable:
    """The highest accuracy of each collection, task and mode that was run; one row per collection and task."""
    modes = [mode for mode in _MODES if any(map(results.is_done, results.cells(mode=mode)))]
    headings = [_MODES[mode] for mode in modes]
    columns = ("collection", "task", "test pictures", "classes", *headings, "majority")
    rows: list[tuple[str, ...]] = []
    for name, collection in results.plan.collections.items():
        for task in collection.usable:
            best = [_highest(results, name, task, mode) for mode in modes]
            texts = [_with_network(result) if result else "" for result in best]
            of_any = next(filter(None, best), None)
            if of_any is not None:
                majority = f"{100 * of_any.majority:.1f}"
                rows.append((name, task, f"{of_any.samples:,}", f"{of_any.classes:,}", *texts, majority))
    names = 2
    if results.plan.settings.protocol == "tonkes2022":  # a collection per task, of its name
        columns, rows, names = columns[1:], [row[1:] for row in rows], 1
    return ReportTable(
        "summary",
        "The highest test accuracies in per cent",
        columns,
        rows,
        (
            "Of all networks and first weights, chosen by these figures themselves: the tables have the others, and"
            " all intervals. Majority: of always predicting the most frequent class.",
        ),
        names=names,
    )


def _highest(results: Results, collection: str, task: str, mode: Mode) -> Result | None:
    figures = results.figures(
        lambda cell: (
            (cell.collection, cell.task, cell.mode) == (collection, task, mode) and cell.part != "common"
        )
    )
    found = [result for cells in figures if not isinstance(result := results.result(cells), str)]
    return max(found, key=lambda result: result.accuracy, default=None)


def _with_network(result: Result) -> FigureText:
    cell = result.cells[0]
    weights = "" if cell.weights == IMAGENET else f", from {cell.weights}"
    return result.figure(f"{100 * result.accuracy:.1f} ({cell.backbone}{weights})")


def missing_figures(results: Results) -> list[tuple[str, int]]:
    """Why figures of the plan are missing, each reason with how many; the most frequent first."""
    every = (results.result(cells) for cells in results.figures(lambda cell: True))
    return Counter(result for result in every if isinstance(result, str)).most_common()


def pairs_table(claims: Sequence[Claim]) -> ReportTable:
    """The pairs of cells that each claim was tested on, numbered as the claims are."""
    rows = []
    for number, claim in enumerate(claims, start=1):
        for pair in claim.pairs:
            expected, other, comparison = pair.expected, pair.other, pair.comparison
            beyond = "no"
            if pair.beyond_chance:
                beyond = "for the claim" if comparison.difference.value > 0 else "against it"
            cells = (expected, other)
            values = (comparison.difference.second, comparison.difference.first)
            figures = [
                FigureText(measure_text(comparison.measure, value), cell.run or "")
                for cell, value in zip(cells, values, strict=True)
            ]
            names = (expected.collection, expected.task, *map(_way, cells), beyond)
            change = change_texts(comparison.measure, comparison.difference, comparison.p)
            rows.append((f"{number}", *names, *figures, *change))
    return ReportTable(
        "claims",
        "The pairs that the claims were tested on, test accuracy in per cent",
        (
            *("claim", "collection", "task", "expected to be ahead", "compared with", "beyond chance"),
            *("expected", "compared", "difference", "p"),
        ),
        rows,
        (
            "Claim: its number in the summary. Difference: expected less compared, points, with the 95% interval of a"
            " paired bootstrap over test samples; p by McNemar's exact test; beyond chance by Holm's correction over"
            " the pairs of a claim, at 5%.",
        ),
        names=6,
        folded=True,
    )


def _way(cell: Cell) -> str:
    weights = {IMAGENET: "", "none": ""}.get(cell.weights, f", from {cell.weights}")
    return f"{cell.backbone}, {cell.mode}{weights}"
