"""What a command prints for a person: lines, tables and progress bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

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
from rich.table import Table
from rich.text import Text


class Reporter:
    """Reports to one person once: only the first rank prints."""

    def __init__(self, main: bool) -> None:
        """Report on a run.

        Args:
            main: whether this is the first rank.
        """
        self.main = main
        self.console = Console(quiet=not main, highlight=False)

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, markup=False, soft_wrap=True)

    def show(self, table: Table) -> None:
        """Print a table."""
        self.console.print(table)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[ProgressBar]:
        """A progress bar that goes away when it is done; none where the output is no terminal."""
        with ProgressBar(self.console, what, total) as bar:
            yield bar


class ProgressBar:
    """One bar; `advance` is cheap and safe to call where nothing is shown."""

    def __init__(
        self, console: Console, what: str, total: int, *, done: int = 0, keep: bool = False, note: str = ""
    ) -> None:
        """Prepare a bar; entering it as a context shows it, if the console is a terminal.

        Args:
            console: where to.
            what: is being done, in a word or two.
            total: steps in all.
            done: of these, how many were done before.
            keep: whether the bar stays on the screen, with its rate, when it is done.
            note: behind the bar; see `remark`.
        """
        rate = [_Rate(), TextColumn("{task.fields[note]}")] if keep else []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            *rate,
            TimeRemainingColumn(),
            console=console,
            transient=not keep,
            disable=not console.is_terminal or console.quiet,
        )
        self._task = self._progress.add_task(what, total=total, completed=done, note=note)

    def advance(self) -> None:
        """One step further."""
        self._progress.advance(self._task)

    def describe(self, what: str) -> None:
        """Change the bar's text."""
        self._progress.update(self._task, description=what)

    def remark(self, note: str) -> None:
        """Change the note behind a kept bar."""
        self._progress.update(self._task, note=note)

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
