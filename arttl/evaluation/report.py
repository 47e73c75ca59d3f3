"""Tables of results for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

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


def metrics_table(metrics: Mapping[str, TaskMetrics], title: str) -> Table:
    """A block of rows per task: each measure with its 95% interval and the majority baseline, in per cent.

    Errors of numbers are in the label's unit.
    """
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption="majority: always the most frequent answer of the training split (number: its median)",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("task")
    table.add_column("measure", no_wrap=True)
    table.add_column("found", justify="right", no_wrap=True)
    table.add_column("95% interval", justify="right", no_wrap=True)
    table.add_column("majority", justify="right", no_wrap=True)
    for name, found in metrics.items():
        heading = [name, f"{found.n} samples", f"{found.classes} classes" if found.classes else ""]
        for place, (measure, value) in enumerate(found.values.items()):
            table.add_row(
                heading[place] if place < len(heading) else "",
                measure_name(measure),
                measure_text(measure, value),
                interval_text(measure, *found.intervals.get(measure, (float("nan"),) * 2)),
                measure_text(measure, found.baseline[measure]) if measure in found.baseline else "",
                end_section=place == len(found.values) - 1,
            )
    return table


def bands_table(metrics: Mapping[str, TaskMetrics]) -> Table | None:
    """Accuracy by size of the classes, a row per task and size; None where no task has classes of two sizes."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task")
    table.add_column("class size", no_wrap=True)
    for heading in ("classes", "samples", "accuracy", "balanced"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in metrics.items():
        if len(found.bands) < 2:
            continue
        for band in found.bands:
            table.add_row(
                name,
                band.training_samples,
                str(band.classes),
                str(band.n),
                measure_text("accuracy", band.accuracy),
                measure_text("balanced_accuracy", band.balanced_accuracy),
                end_section=band is found.bands[-1],
            )
    return table if table.row_count else None
