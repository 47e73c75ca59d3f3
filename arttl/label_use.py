"""How many labels of a task a run can use, and why not the others."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat

from arttl.decimals import NumberFormat, UnclearNumbers
from arttl.numbers import examples_of, parse_number, unused_numbers
from arttl.tasks import Task

Labels = Sequence[tuple[str, ...] | None]

_DIGIT = re.compile("[0-9]")
_SHARE = 0.5
"""Of labels that must be numbers for anything to be said of them."""


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
    remarks = []
    if task.kind == "number":
        remarks += unused_numbers([row[0] for row in known], task.statistics.number_format)
    else:
        index = task.vocabulary.index
        of_no_class = Counter(
            row[0]
            for row in known
            if not any(label in index for label in (row if task.kind == "multi-label" else row[:1]))
        )
        if of_no_class:
            remarks.append(f"{of_no_class.total():,} of them of no class ({examples_of(of_no_class)})")
    several = [row for row in known if len(row) > 1]
    if several and task.kind != "multi-label":
        first, second = several[0][:2]
        remarks.append(
            f"{len(several):,} of them with several, the first of which counts ({first!r}, not {second!r})"
        )
    return remarks


def number_note(name: str, counts: Mapping[str, int]) -> str | None:
    """A sentence on how many labels can be used as a number; None where they are not mainly years or numbers.

    Args:
        name: of a task.
        counts: label to how many samples have it as their first, the one that a number task takes.
    """
    total = sum(counts.values())
    flag = f"--number {shlex.quote(name)}"

    def mainly(test: Callable[[str], object]) -> bool:
        return sum(count for label, count in counts.items() if test(label)) > _SHARE * total

    if not mainly(_DIGIT.search):  # cheap, and most tasks are of words
        return None
    labels = list(chain.from_iterable(map(repeat, counts, counts.values())))
    try:
        number_format = NumberFormat.of(labels)
    except UnclearNumbers as error:
        refused = f"{flag} would be refused, since it needs one way of writing numbers: {error}"
        return refused if error.numbers > _SHARE * total else None
    if not mainly(lambda label: parse_number(label, number_format) is not None):
        return None
    kind = "years" if number_format.years else "numbers"
    remarks = ", ".join([f"{total:,} with a value", *unused_numbers(labels, number_format)])
    return f"the labels of {name} are {kind}, which arttl train {flag} learns: {remarks}"
