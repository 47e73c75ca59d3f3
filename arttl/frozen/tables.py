"""The form of the tables that the commands on cached features print."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table

from arttl.tasks import TaskSet

TASKS_A_TABLE = 2
"""What eighty columns hold, with balanced accuracies and ranges over splits."""


def figures_table(title: str, splits: int = 1) -> Table:
    """An empty table that leaves room on eighty columns.

    Args:
        title: above it.
        splits: over how many the figures are means, which the title says where there are several.
    """
    over = f", mean over {splits} splits (lowest–highest)" if splits > 1 else ""
    return Table(
        title=title + over,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def in_tables(tasks: TaskSet) -> Iterator[TaskSet]:
    """The tasks in order, as many at a time as one table holds."""
    of_all = list(tasks)
    for start in range(0, len(of_all), TASKS_A_TABLE):
        yield TaskSet(of_all[start : start + TASKS_A_TABLE])
