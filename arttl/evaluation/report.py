"""Tables of results for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from arttl.evaluation.metrics import TaskMetrics


def metrics_table(metrics: Mapping[str, TaskMetrics], title: str) -> Table:
    """A row per task: accuracy, balanced accuracy and the majority baseline, in per cent."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("task")
    for name in ("accuracy", "balanced", "majority", "samples", "classes"):
        table.add_column(name, justify="right")
    for name, found in metrics.items():
        percent = [
            f"{100 * value:.1f}" for value in (found.accuracy, found.balanced_accuracy, found.majority)
        ]
        table.add_row(name, *percent, str(found.n), str(found.classes))
    return table
