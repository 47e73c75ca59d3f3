"""`arttl compare`: two runs, or two kinds of run over several seeds, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from arttl.console import Console
from arttl.errors import counted
from arttl.evaluation.bootstrap import REPLICATES, Difference
from arttl.evaluation.compare import (
    MeanComparison,
    TaskComparison,
    compare_means,
    compare_predictions,
)
from arttl.evaluation.measures import measure_named
from arttl.evaluation.report import empty_table, interval_text, measure_name, measure_text
from arttl.files import write_json
from arttl.inference.predictions import Predictions
from arttl.settings import AtLeastOne, Bound, OutputFile, Settings


@dataclass(frozen=True)
class CompareSettings(Settings):
    """Compare two runs on the samples that both predicted: is one better, and how sure is that?"""

    run_a: tyro.conf.Positional[Path]
    """Folder of a run, or a file of predictions."""
    run_b: tyro.conf.Positional[Path]
    """The other one."""
    also: tuple[tuple[Path, Path], ...] = ()
    """Further pairs, such as those of other seeds or splits (A2 B2 A3 B3): the means over pairs are compared, of each
    task over those that predict it."""
    measure: str | None = None
    """Measure to compare, such as balanced_accuracy; by default accuracy, mean average precision (multi-label) or mean
    absolute error (number)."""
    group_by: str | None = None
    """Resample whole groups: object_number, or a task, whose samples of one label belong together."""
    replicates: AtLeastOne = REPLICATES
    """Resamplings of the bootstrap."""
    seed: Annotated[int, Bound("at least 0", lambda value: value >= 0)] = 0
    """Seed of the resamplings."""
    json: OutputFile | None = None
    """File for the figures, as JSON."""


def run(settings: CompareSettings) -> None:
    """Compare, print a table and write the JSON."""
    pairs = ((settings.run_a, settings.run_b), *settings.also)
    # One joint run is often compared with several others: each file is read once.
    read = lru_cache(maxsize=None)(Predictions.read)
    predictions = [(read(a), read(b)) for a, b in pairs]
    options: dict[str, Any] = {
        name: getattr(settings, name) for name in ("measure", "group_by", "replicates", "seed")
    }
    comparisons = compare_predictions(predictions, **options)
    means = compare_means(predictions, **options)
    console = Console(highlight=False)
    for side, paths in zip("AB", zip(*pairs, strict=True), strict=True):
        console.print(f"{side}  {', '.join(map(str, paths))}", markup=False, soft_wrap=True)
    console.print(comparison_table(comparisons, means))
    over, together = "", []
    if settings.also:
        numbers = {of_task.pairs for of_task in comparisons}
        by_task = ", ".join(f"{of_task.task} {of_task.pairs}" for of_task in comparisons)
        over = (
            f"Means over {counted(numbers.pop(), 'pair')}. "
            if len(numbers) == 1
            else f"Means over pairs ({by_task}). "
        )
        together.append("all the splits that test it")
    if means:
        together.append("for the mean all its tasks")
    units = "samples" if settings.group_by is None else "groups"
    units += f", each with {' and '.join(together)}" if together else ""
    exact = any(of_task.mcnemar is not None for of_task in comparisons)
    test = "McNemar's exact test where shares of correct predictions are compared, else the bootstrap"
    console.print(
        f"{over}Interval: paired bootstrap, {settings.replicates:,} resamplings of the {units}; p:"
        f" {test if exact else 'the bootstrap'}; not corrected for the number of tasks."
    )
    if settings.json is not None:
        described = {
            "a": str(settings.run_a),
            "b": str(settings.run_b),
            "also": [[str(path) for path in pair] for pair in settings.also],
            "tasks": {of_task.task: of_task.to_dict() for of_task in comparisons},
            "means": [mean.to_dict() for mean in means],
        }
        write_json(settings.json, described)


def comparison_table(comparisons: Sequence[TaskComparison], means: Sequence[MeanComparison]) -> Table:
    """One row per task, and below them their means: both values, their difference with its 95% interval, and p.

    In per cent, or the label's unit.
    """
    figures = ("A", "B", "B - A", "95% interval", "p", "n")
    table = empty_table(("task", "measure"), figures, padding=(0, 1, 0, 0))
    for of_task in comparisons:
        _add_row(table, of_task.task, of_task.measure, of_task.difference, of_task.p, str(of_task.n))
    table.add_section()
    for mean in means:
        name = f"mean of {len(mean.tasks)}"
        _add_row(table, name, mean.measure, mean.difference, mean.difference.p, "")
    return table


def _add_row(table: Table, name: str, measure: str, difference: Difference, p: float, n: str) -> None:
    above, below = difference.low > 0, difference.high < 0
    better, worse = (below, above) if measure_named(measure).better == "lower" else (above, below)
    table.add_row(
        name,
        measure_name(measure),
        measure_text(measure, difference.first),
        measure_text(measure, difference.second),
        measure_text(measure, difference.value, "+"),
        interval_text(measure, difference.low, difference.high, "+"),
        f"{p:.3f}" if p >= 0.001 else "<0.001",
        n,
        style="green" if better else "red" if worse else None,
    )
