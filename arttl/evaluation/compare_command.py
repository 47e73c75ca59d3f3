"""`arttl compare`: two runs, or two kinds of run over several seeds, on the same samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from arttl.errors import ArttlError
from arttl.evaluation.bootstrap import REPLICATES
from arttl.evaluation.compare import TaskComparison, compare_predictions
from arttl.evaluation.measures import LOWER_IS_BETTER
from arttl.evaluation.report import interval_text, measure_name, measure_text
from arttl.evaluation.saved import read_predictions


@dataclass(frozen=True)
class CompareSettings:
    """Compare two runs on the samples that both predicted: is one better, and how sure is that?"""

    run_a: tyro.conf.Positional[Path]
    """Folder of a run, or a file of predictions."""
    run_b: tyro.conf.Positional[Path]
    """The other one."""
    also: tuple[tuple[Path, Path], ...] = ()
    """Further pairs, such as those of other seeds or splits (A2 B2 A3 B3): the means over all pairs are compared."""
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
    found = compare_predictions(
        [(read_predictions(a), read_predictions(b)) for a, b in pairs],
        measure=settings.measure,
        group_by=settings.group_by,
        replicates=settings.replicates,
        seed=settings.seed,
    )
    console = Console(highlight=False)
    for place, side in enumerate("AB"):
        names = ", ".join(str(pair[place]) for pair in pairs)
        console.print(f"{side}  {names}", markup=False, soft_wrap=True)
    console.print(comparison_table(found))
    drawn = "samples" if settings.group_by is None else "groups"
    means = ""
    if settings.also:
        means = f"Means over {len(pairs)} pairs. "
        drawn += ", each with all the splits that test it"
    test = "the bootstrap"
    if settings.group_by is None and not settings.also:
        test = "McNemar's exact test where shares of right answers are compared, else the bootstrap"
    console.print(
        f"{means}Interval: paired bootstrap, {settings.replicates:,} resamplings of the {drawn}; p: {test}; not"
        " corrected for the number of tasks."
    )
    if settings.json is not None:
        described = {
            "a": str(settings.run_a),
            "b": str(settings.run_b),
            "also": [[str(path) for path in pair] for pair in settings.also],
            "tasks": {one.task: one.to_dict() for one in found},
        }
        try:
            settings.json.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ArttlError(f"--json {settings.json} cannot be written: {error.strerror}") from error


def comparison_table(found: Sequence[TaskComparison]) -> Table:
    """A line a task: both values, their difference with its 95% interval, and p; per cent, or the label's unit."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("task")
    table.add_column("measure", no_wrap=True)
    for heading in ("A", "B", "B - A", "95% interval", "p", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        difference = one.difference
        better = (difference.low > 0) if one.measure not in LOWER_IS_BETTER else (difference.high < 0)
        worse = (difference.high < 0) if one.measure not in LOWER_IS_BETTER else (difference.low > 0)
        table.add_row(
            one.task,
            measure_name(one.measure),
            measure_text(one.measure, difference.first),
            measure_text(one.measure, difference.second),
            measure_text(one.measure, difference.value, "+"),
            interval_text(one.measure, difference.low, difference.high, "+"),
            f"{one.p:.3f}" if one.p >= 0.001 else "<0.001",
            str(one.n),
            style="green" if better else "red" if worse else None,
        )
    return table
