"""The terminal output of commands: lines, tables and progress bars."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import rich.console
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

from arttl.errors import printable


class Console(rich.console.Console):
    """A console of rich that prints no control characters of the texts themselves, see `printable`."""

    def render(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        """Segments, their texts made printable; everything that is printed passes here."""
        for segment in super().render(*arguments, **options):
            text = segment.text if segment.control else printable(segment.text)
            yield segment if text == segment.text else segment._replace(text=text)


class Reporter:
    """Prints on the first rank only, so that a run of several processes reports once."""

    def __init__(self, main: bool) -> None:
        """Print, or print nothing.

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

    def progress(self, description: str, total: int) -> ProgressBar:
        """A progress bar that is removed when it is done; none where the output is not a terminal."""
        return ProgressBar(self.console, description, total)


def command_line(name: str, *arguments: object) -> str:
    """A command of arttl with its arguments, as a shell takes it."""
    return shlex.join(["arttl", name, *map(str, arguments)])


class ProgressBar:
    """A bar for one task; `advance` is cheap and safe to call where nothing is shown."""

    def __init__(
        self,
        console: Console,
        description: str,
        total: int,
        *,
        done: int = 0,
        keep: bool = False,
        note: str = "",
    ) -> None:
        """Prepare a bar; entering it as a context shows it, if the console is a terminal.

        Args:
            console: to print on.
            description: of the task, in a word or two.
            total: number of steps.
            done: how many of these were done before.
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
        self._task = self._progress.add_task(description, total=total, completed=done, note=note)

    def advance(self) -> None:
        """Count one more step."""
        self._progress.advance(self._task)

    def remark(self, note: str) -> None:
        """Change the note behind a kept bar."""
        self._progress.update(self._task, note=note)

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")
