"""`arttl compare`: two runs, or two kinds of run over several seeds, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from arttl.errors import ArttlError
from arttl.evaluation.bootstrap import REPLICATES, Difference
from arttl.evaluation.compare import (
    MeanComparison,
    TaskComparison,
    compare_means,
    compare_predictions,
)
from arttl.evaluation.measures import measure_named
from arttl.evaluation.report import interval_text, measure_name, measure_text
from arttl.files import write_json
from arttl.inference.saved import read_predictions


@dataclass(frozen=True)
class CompareSettings:
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
    replicates: int = REPLICATES
    """Resamplings of the bootstrap."""
    seed: int = 0
    """Seed of the resamplings."""
    json: Path | None = None
    """File for the figures, as JSON."""

    def __post_init__(self) -> None:
        if self.replicates < 1:
            raise ArttlError(f"--replicates must be at least 1, not {self.replicates}")
        if self.seed < 0:
            raise ArttlError(f"--seed must be at least 0, not {self.seed}")


def run(settings: CompareSettings) -> None:
    """Compare, print a table and write the JSON."""
    pairs = ((settings.run_a, settings.run_b), *settings.also)
    # One joint run is often set beside several: each file is read once.
    files = {path: read_predictions(path) for path in dict.fromkeys(path for pair in pairs for path in pair)}
    read = [(files[a], files[b]) for a, b in pairs]
    options: dict[str, Any] = {
        "measure": settings.measure,
        "group_by": settings.group_by,
        "replicates": settings.replicates,
        "seed": settings.seed,
    }
    found = compare_predictions(read, **options)
    means = compare_means(read, **options)
    console = Console(highlight=False)
    for place, side in enumerate("AB"):
        names = ", ".join(str(pair[place]) for pair in pairs)
        console.print(f"{side}  {names}", markup=False, soft_wrap=True)
    console.print(comparison_table(found, means))
    drawn = "samples" if settings.group_by is None else "groups"
    over, together = "", []
    if settings.also:
        numbers = {one.pairs for one in found}
        over = (
            f"Means over {numbers.pop()} pairs. "
            if len(numbers) == 1
            else f"Means over pairs ({', '.join(f'{one.task} {one.pairs}' for one in found)}). "
        )
        together.append("all the splits that test it")
    if means:
        together.append("for the mean all its tasks")
    if together:
        drawn += f", each with {' and '.join(together)}"
    exact = any(one.mcnemar is not None for one in found)
    test = "McNemar's exact test where shares of right answers are compared, else the bootstrap"
    console.print(
        f"{over}Interval: paired bootstrap, {settings.replicates:,} resamplings of the {drawn}; p:"
        f" {test if exact else 'the bootstrap'}; not corrected for the number of tasks."
    )
    if settings.json is not None:
        described = {
            "a": str(settings.run_a),
            "b": str(settings.run_b),
            "also": [[str(path) for path in pair] for pair in settings.also],
            "tasks": {one.task: one.to_dict() for one in found},
            "means": [one.to_dict() for one in means],
        }
        write_json(settings.json, described)


def comparison_table(found: Sequence[TaskComparison], means: Sequence[MeanComparison]) -> Table:
    """A line a task, and below them their means: both values, their difference with its 95% interval, and p.

    In per cent, or the label's unit.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("task")
    table.add_column("measure", no_wrap=True)
    for heading in ("A", "B", "B - A", "95% interval", "p", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        _add_row(table, one.task, one.measure, one.difference, one.p, str(one.n))
    if means:
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
