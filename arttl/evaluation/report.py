"""Tables of results for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from rich import box
from rich.table import Table

from arttl.evaluation.measures import measure_named
from arttl.evaluation.metrics import TaskMetrics


def measure_name(measure: str) -> str:
    """A measure's name in words."""
    return measure_named(measure).text


def measure_text(measure: str, value: float, sign: str = "") -> str:
    """A value in per cent, or of errors in the label's unit; a dash for NaN."""
    if value != value:
        return "–"
    return f"{100 * value if measure_named(measure).unit == 'share' else value:{sign}.1f}"


def interval_text(measure: str, low: float, high: float, sign: str = "") -> str:
    """An interval as `low to high`; nothing for NaN."""
    if low != low:
        return ""
    return f"{measure_text(measure, low, sign)} to {measure_text(measure, high, sign)}"


def empty_table(names: Sequence[str], figures: Sequence[str], **options: Any) -> Table:
    """An empty table.

    Args:
        names: headings of the columns of text; only the first may wrap.
        figures: headings of the columns of figures.
        options: of `rich.table.Table`.
    """
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", caption_justify="left", **options
    )
    for index, heading in enumerate(names):
        table.add_column(heading, no_wrap=index > 0)
    for heading in figures:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def metrics_table(metrics: Mapping[str, TaskMetrics], title: str) -> Table:
    """A block of rows per task: each measure with its 95% interval and the majority baseline, in per cent.

    Errors of numbers are in the label's unit.
    """
    table = empty_table(
        ("task", "measure"),
        ("value", "95% interval", "majority"),
        title=title,
        title_style="bold",
        caption="majority: always the most frequent training label (number: its median)",
    )
    for name, of_task in metrics.items():
        task_lines = [name, f"{of_task.n} samples", f"{of_task.classes} classes" if of_task.classes else ""]
        for text, (measure, value) in zip(
            chain(task_lines, repeat("")), of_task.values.items(), strict=False
        ):
            table.add_row(
                text,
                measure_name(measure),
                measure_text(measure, value),
                interval_text(measure, *of_task.intervals.get(measure, (math.nan, math.nan))),
                measure_text(measure, of_task.baseline[measure]) if measure in of_task.baseline else "",
            )
        table.add_section()
    return table


def bands_table(metrics: Mapping[str, TaskMetrics]) -> Table | None:
    """Accuracy by size of the classes, one row per task and size; None where no task has classes of two sizes."""
    table = empty_table(("task", "class size"), ("classes", "samples", "accuracy", "balanced"))
    for name, of_task in metrics.items():
        for band in of_task.bands if len(of_task.bands) > 1 else ():
            table.add_row(
                name,
                band.training_samples,
                str(band.classes),
                str(band.n),
                measure_text("accuracy", band.accuracy),
                measure_text("balanced_accuracy", band.balanced_accuracy),
            )
        table.add_section()
    return table if table.row_count else None
