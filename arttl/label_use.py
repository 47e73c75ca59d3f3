"""How many labels of a task a run can use, and why not the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from arttl.numbers import examples_of, unused_numbers
from arttl.tasks import Task

Labels = Sequence[tuple[str, ...] | None]


def describe_task(task: Task, labels: Labels) -> str:
    """The task and what its labels are worth, in a line.

    Args:
        task: of a run.
        labels: of each of N rows; None where unknown.
    """
    known = sum(1 for row in labels if row)
    line = (
        f"{task.name}: {task.summary}; {', '.join([f'{known:,} with a value', *unused_labels(task, labels)])}"
    )
    return line if known == len(labels) else f"{line}; {len(labels) - known:,} without"


def unused_labels(task: Task, labels: Labels) -> list[str]:
    """For each reason for which labels cannot be used, or may be misread, how many and examples.

    Args:
        task: of a run.
        labels: of each of N rows; None where unknown.
    """
    known = [row for row in labels if row]
    if task.kind == "number":
        return unused_numbers([row[0] for row in known], task.statistics.number_format)
    index = task.vocabulary.index
    of_no_class = Counter(
        row[0]
        for row in known
        if not any(label in index for label in (row if task.kind == "multi-label" else row[:1]))
    )
    if not of_no_class:
        return []
    return [f"{of_no_class.total():,} of them of no class ({examples_of(of_no_class)})"]
