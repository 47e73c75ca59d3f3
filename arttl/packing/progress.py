"""How far packing is: a bar on a terminal, one line elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from arttl.packing.samples import Sample
from arttl.shards.rejects import Reject


@contextmanager
def packing_progress(
    total: int, done: int, workers: int, *, shown: bool
) -> Iterator[Callable[[Sample | Reject], None]]:
    """Show progress on standard error while the context lasts.

    Args:
        total: pictures in all.
        done: of those, how many an earlier run has done.
        workers: processes, for the line.
        shown: whether to show anything.

    Yields:
        A function to call with every outcome.
    """
    console = Console(stderr=True)
    if shown and not console.is_terminal:
        before = f" ({done:,} of them done before)" if done else ""
        console.print(f"packing {total:,} pictures{before}, {workers} process(es)", highlight=False)
    bar = Progress(
        TextColumn("packing"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TextColumn("{task.fields[rejects]:,} rejected"),
        TimeRemainingColumn(),
        console=console,
        disable=not (shown and console.is_terminal),
    )
    rejects = 0
    with bar:
        task = bar.add_task("", total=total, completed=done, rejects=0)

        def advance(outcome: Sample | Reject) -> None:
            nonlocal rejects
            rejects += isinstance(outcome, Reject)
            bar.update(task, advance=1, rejects=rejects)

        yield advance


class _Rate(ProgressColumn):
    """Pictures a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
