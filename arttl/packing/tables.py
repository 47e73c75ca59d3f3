"""The summary of a collection as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arttl.label_use import number_note
from arttl.packing.summary import Summary, TaskCounts
from arttl.tasks import SPLITS

_BAR = 16  # characters
_LONGEST_NAME = 120  # characters of a class that are shown
_LEFT_OUT = "Left out (rejects.csv)"
# Upper ends of the sizes that the classes of a long tail are summed up by.
_TAIL = (1, 4, 9, 19, 49, 99, 999, 9_999, 99_999, 999_999)


def packing_tables(summary: Summary, *, left_out: str = _LEFT_OUT) -> RenderableType:
    """Samples per split, labels per task, and rejects per reason, where there are any."""
    tables: list[RenderableType] = [_samples(summary), _tasks(summary)]
    if summary.institutions:
        tables.append(_institutions(summary))
    if summary.rejected:
        tables.append(_rejects(summary.rejected, left_out))
    return _stacked(tables)


def class_tables(summary: Summary, most: int) -> RenderableType:
    """For each task its largest classes with a bar each, the others by size; and which labels occur together.

    Args:
        summary: of the collection.
        most: classes that get a line of their own; 0: all.
    """
    tables: list[RenderableType] = []
    for task in summary.tasks:
        tables.append(_classes(task, most))
        first = dict(zip(task.classes, task.first.sum(axis=1).tolist(), strict=True))
        if (note := number_note(task.name, first)) is not None:
            tables.append(Text(note))
    if len(summary.tasks) > 1:
        tables.append(_known_together(summary))
    return _stacked(tables)


def paper_table(summary: Summary, figures: Mapping[str, tuple[int, int]]) -> RenderableType:
    """Images and classes of the collection, of all classes and under two class rules, beside the paper's.

    By the first label of each record. An image stays under a rule if its class does.

    Args:
        summary: of the collection.
        figures: task to the paper's images and classes.
    """
    table = _table("The collection beside the paper's", "task")
    for column in ("count of", "packed", "in all\nsplits", "and 10 in\ntest", "the paper"):
        table.add_column(column, justify="left" if column == "count of" else "right", no_wrap=True)
    for task in summary.tasks:
        occurring = task.first.sum(axis=1) > 0
        everywhere = (task.first > 0).all(axis=1)
        often = everywhere & (task.first[:, SPLITS.index("test")] >= 10)
        of_paper = figures.get(task.name)
        rows = (
            ("images", [task.first[kept].sum() for kept in (occurring, everywhere, often)]),
            ("classes", [kept.sum() for kept in (occurring, everywhere, often)]),
        )
        for index, (unit, numbers) in enumerate(rows):
            paper = f"{of_paper[index]:,}" if of_paper else ""
            table.add_row("" if index else task.name, unit, *(f"{number:,}" for number in numbers), paper)
    note = "the paper's text keeps classes that occur in all splits; its published code drops no class"
    return _stacked([table, Text(note)])


def _stacked(tables: list[RenderableType]) -> RenderableType:
    return Group(*(line for table in tables for line in ("", table)), "")


def _table(title: str, first: str, *numbers: str) -> Table:
    table = Table(
        title=Text(title, style="table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        collapse_padding=True,
        min_width=len(title),
    )
    table.add_column(first, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _samples(summary: Summary) -> Table:
    table = _table("Samples", "split", "samples", "share", "shards")
    total = int(summary.samples.sum())
    for split, samples, shards in zip(SPLITS, summary.samples, summary.shards, strict=True):
        table.add_row(split, f"{samples:,}", _share(samples, total), f"{shards:,}")
    table.add_row("all", f"{total:,}", "", f"{summary.shards.sum():,}")
    return table


def _tasks(summary: Summary) -> Table:
    table = _table("Labels", "task", "labelled", "missing", "classes", "in all\nsplits", "only\nonce")
    table.add_column("largest class", overflow="fold")
    table.add_column("its\nshare", justify="right", no_wrap=True)
    for task in summary.tasks:
        labelled = int(task.labelled.sum())
        counts = task.samples.sum(axis=1)
        largest = int(counts.argmax()) if len(counts) else -1
        table.add_row(
            task.name,
            f"{labelled:,}",
            f"{int(summary.samples.sum()) - labelled:,}",
            f"{len(counts):,}",
            f"{(task.samples > 0).all(axis=1).sum():,}",
            f"{(counts == 1).sum():,}",
            _name(task.classes[largest] if largest >= 0 else "none"),
            _share(counts[largest], labelled) if labelled else "",
        )
    return table


def _institutions(summary: Summary) -> Table:
    table = _table("Institutions", "institution", "samples", *SPLITS, "share")
    table.columns[0].no_wrap = False
    table.columns[0].overflow = "fold"
    total = int(summary.samples.sum())
    for name, samples in summary.institutions.items():
        numbers = (f"{number:,}" for number in (samples.sum(), *samples))
        table.add_row(Text(name or "not named"), *numbers, _share(samples.sum(), total))
    return table


def _classes(task: TaskCounts, most: int) -> Table:
    counts = task.samples.sum(axis=1)
    # Not by an array of the names, in which every name would take as much memory as the longest.
    order = np.array(sorted(range(len(counts)), key=lambda row: (-counts[row], task.classes[row])), dtype=int)
    shown = order if most == 0 or len(order) <= most + 2 else order[:most]
    rest = counts[order[len(shown) :]]
    having = "sample has" if task.several == 1 else "samples have"
    several = f"; {task.several:,} {having} several" if task.several else ""
    table = _table(f"Classes of {task.name} ({len(order):,}{several})", "")
    table.columns[0].header = "class"
    table.columns[0].no_wrap = False
    table.columns[0].overflow = "fold"
    table.columns[0].max_width = 32
    table.columns[0].min_width = 18
    for number in ("samples", *SPLITS, "share"):
        table.add_column(number, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    labelled = int(task.labelled.sum())
    longest = int(counts.max(initial=1))
    for index in shown:
        table.add_row(
            _name(task.classes[index]),
            f"{counts[index]:,}",
            *(f"{number:,}" for number in task.samples[index]),
            _share(counts[index], labelled),
            "█" * max(1, round(_BAR * counts[index] / longest)),
        )
    for low, high in reversed([*zip((0, *_TAIL), _TAIL, strict=False)]):
        inside = (rest > low) & (rest <= high)
        if inside.any():
            of_tail = task.samples[order[len(shown) :][inside]].sum(axis=0)
            size = f"{low + 1:,} to {high:,}" if high > 1 else "one sample"
            more = "more " if len(shown) else ""
            table.add_row(
                Text(f"{inside.sum():,} {more}of {size}", style="dim"),
                f"{rest[inside].sum():,}",
                *(f"{number:,}" for number in of_tail),
                _share(rest[inside].sum(), labelled),
                "",
            )
    return table


def _known_together(summary: Summary) -> Table:
    table = _table("Which labels samples have", "tasks", "samples", "share")
    table.columns[0].no_wrap = False
    total = int(summary.samples.sum())
    shown = list(summary.together.items())[:12]
    for tasks, samples in shown:
        name = "all" if len(tasks) == len(summary.tasks) else "only " + ", ".join(tasks)
        table.add_row(Text(name), f"{samples:,}", _share(samples, total))
    rest = total - sum(samples for _, samples in shown)
    if rest:
        table.add_row("other combinations", f"{rest:,}", _share(rest, total))
    if summary.unlabelled:
        table.add_row("none: left out", f"{summary.unlabelled:,}", "")
    return table


def _rejects(rejected: Mapping[str, int], title: str) -> Table:
    table = _table(title, "reason", "rows")
    for reason, count in sorted(rejected.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(reason, f"{count:,}")
    return table


def _name(text: str) -> Text:
    return Text(text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}...")


def _share(count: float, total: int) -> str:
    return f"{count / total:.1%}" if total else ""
