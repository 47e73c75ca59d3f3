"""Tables of the studies on frozen features, for eighty columns; and gains of one head over another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

from arttl.evaluation.bootstrap import Difference, paired_bootstrap
from arttl.evaluation.measures import MAIN_MEASURE, Statistic, measure_named
from arttl.evaluation.report import measure_name, measure_text
from arttl.tasks import Task, TaskSet

TASKS_PER_TABLE = 2
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


def task_tables(
    title: str, heading: str, tasks: TaskSet, splits: int = 1, share: bool = False
) -> Iterator[tuple[TaskSet, Table]]:
    """Empty tables with two columns per task: its main measure, and the balanced accuracy where it has one.

    Args:
        title: above each.
        heading: of the first column.
        tasks: in order.
        splits: over how many the figures are means.
        share: the second column is a share instead.

    Yields:
        As many tasks as one table holds, and the table.
    """
    all_tasks = list(tasks)
    for start in range(0, len(all_tasks), TASKS_PER_TABLE):
        shown = TaskSet(all_tasks[start : start + TASKS_PER_TABLE])
        table = figures_table(title, splits)
        table.add_column(heading, no_wrap=True)
        for task in shown:
            main = measure_name(MAIN_MEASURE[task.kind])
            table.add_column(f"{task.name}\n{main}", justify="right", no_wrap=True)
            if share or task.kind != "number":
                table.add_column("\nshare" if share else "\nbalanced", justify="right", no_wrap=True)
        yield shown, table


def add_row(
    table: Table, name: str, tasks: TaskSet, cells: Mapping[str, Sequence[str]], end_section: bool = False
) -> None:
    """Add the row of one head to a table of `task_tables`, from the cells of each task by its name."""
    table.add_row(name, *(cell for task in tasks for cell in cells[task.name]), end_section=end_section)


def task_cells(task: Task, values: Sequence[Mapping[str, float]]) -> list[str]:
    """The cells of one task in one row: the main measure with its range, and the mean balanced accuracy.

    Args:
        task: the task.
        values: measure name to value, for each split.
    """
    cells = [spread(MAIN_MEASURE[task.kind], [of_split[MAIN_MEASURE[task.kind]] for of_split in values])]
    if task.kind != "number":
        balanced = float(np.mean([of_split["balanced_accuracy"] for of_split in values]))
        cells.append(measure_text("balanced_accuracy", balanced))
    return cells


def spread(measure: str, values: Sequence[float]) -> str:
    """The mean of a measure over splits and, where there are several, its range in whole numbers."""
    text = measure_text(measure, float(np.mean(values)))
    if len(values) == 1:
        return text
    factor = 100 if measure_named(measure).unit == "share" else 1
    return f"{text} ({factor * min(values):.0f}–{factor * max(values):.0f})"


class HasRows(Protocol):
    """What a head did on the test samples of one split."""

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """[N] rows of the manifest."""


Outcome = TypeVar("Outcome", bound=HasRows)


@dataclass(frozen=True)
class Gain:
    """What a head gains over another, on the test samples of all splits.

    Attributes:
        task: its name.
        head: the one asked about.
        reference: the other.
        difference: of a measure, by a paired bootstrap.
    """

    task: str
    head: str
    reference: str
    difference: Difference


def measure_gain(
    task: str,
    outcomes: Mapping[str, Sequence[Outcome]],
    reference: str,
    head: str,
    measure: Callable[[Sequence[Outcome]], Statistic],
) -> Gain:
    """The gain of one head over another by a paired bootstrap over artworks.

    An artwork is drawn with all the splits in whose test part it is.

    Args:
        task: its name.
        outcomes: head to its outcome on each split.
        reference, head: the two.
        measure: of a head's outcomes, all splits' samples in order.
    """
    rows = np.concatenate([outcome.rows for outcome in outcomes[reference]])
    first, second = measure(outcomes[reference]), measure(outcomes[head])
    return Gain(task, head, reference, paired_bootstrap(first, second, len(rows), groups=rows))


def gains_table(gains: Sequence[Gain], measure: str, kind: str) -> Table:
    """A row per comparison: points, with interval and p-value; a reference common to all is in the title.

    Args:
        gains: the comparisons.
        measure: in words.
        kind: what the heads are called.
    """
    references = {gain.reference for gain in gains}
    common = f" over {references.pop()}" if len(references) == 1 else ""
    table = figures_table(f"Gain in {measure}{common}, points")
    for heading in ("task", kind, *(() if common else ("over",))):
        table.add_column(heading, no_wrap=heading != "over", overflow="fold")
    for heading in ("gain", "95% interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for gain in gains:
        difference = gain.difference
        table.add_row(
            gain.task,
            gain.head,
            *(() if common else (gain.reference,)),
            f"{100 * difference.value:+.1f}",
            f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}",
            f"{difference.p:.3f}",
        )
    return table
