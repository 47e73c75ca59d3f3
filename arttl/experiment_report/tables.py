"""A table of the report, ready for a terminal, the page, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import rich.box
import rich.console
import rich.table
import rich.text

from arttl.shards.csv_files import safe_cell


class FigureText(str):
    """A figure as text, with the name of the run that it is from, of several seeds that of the first."""

    run: str

    def __new__(cls, text: str, run: str) -> FigureText:
        """See the class."""
        figure = super().__new__(cls, text)
        figure.run = run
        return figure


@dataclass(frozen=True)
class ReportTable:
    """A table of text.

    Attributes:
        name: of its file.
        title: above it.
        columns: headings; the first columns name a row, the others hold figures. Figures named `group: heading` belong
            to a group.
        rows: a text per column; a `FigureText` leads to the settings of its run.
        notes: sentences below it.
        names: how many columns name a row.
        folded: the page shows only the title at first.
        heat: the columns that the page shows as heat maps too, the rows of one first name side by side.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()
    names: int = 1
    folded: bool = False
    heat: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """Its title in the list of contents."""
        return self.title.partition(",")[0]

    def to_csv(self) -> str:
        """Comma-separated, with a heading."""
        text = io.StringIO()
        rows = ([*map(safe_cell, row[: self.names]), *row[self.names :]] for row in self.rows)
        csv.writer(text, lineterminator="\n").writerows([self.columns, *rows])
        return text.getvalue()

    def to_markdown(self) -> str:
        """A pipe table with its title and notes."""
        alignment = ["---"] * self.names + ["---:"] * (len(self.columns) - self.names)
        lines = [
            [cell.replace("|", "\\|") for cell in line] for line in (self.columns, alignment, *self.rows)
        ]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([f"### {self.title}", body, *self.notes]) + "\n"

    def groups(self) -> list[tuple[str, list[str]]]:
        """The groups of figures and their headings; a column of no group is one of its own, with an empty heading."""
        return [
            (group, [heading for _, heading in columns])
            for group, columns in itertools.groupby(
                self._headings()[self.names :], key=lambda column: column[0]
            )
        ]

    def spans(self, row: Sequence[str]) -> list[tuple[str, int]]:
        """The figures of a row, each with the number of columns it spans: words span the empty cells of their group."""
        groups = [group for group, _ in self._headings()]
        spans: list[tuple[str, int]] = []
        for index in range(self.names, len(row)):
            if not row[index] and groups[index] == groups[index - 1] and spans and spans[-1][0][:1].isalpha():
                spans[-1] = (spans[-1][0], spans[-1][1] + 1)
            else:
                spans.append((row[index], 1))
        return spans

    def to_rich(self, width: int) -> list[rich.console.RenderableType]:
        """For the terminal: one table where it fits, else one per group of columns, each with the row's names.

        Columns of no group stand together. Where that is still too wide, intervals are left out.

        Args:
            width: of the terminal, in characters.
        """
        headings, figures = self._headings(), range(self.names, len(self.columns))
        parts: dict[str, list[int]] = {"": []}  # the columns of no group come first
        for index in figures:
            group, heading = headings[index]
            parts.setdefault(group if heading else "", []).append(index)
        if self._width(self.columns, figures) <= width:
            parts = {"": list(figures)}
        shown: list[rich.console.RenderableType] = []
        for group, indices in parts.items():
            if indices:
                title = f"{self.title}: {group}" if group else self.title
                shown += [rich.text.Text(title, style="italic"), self._part_to_rich(indices, width), ""]
        notes = [rich.text.Text(note, style="dim") for note in self.notes]
        return [*shown, *notes, *([""] if notes else [])]

    def _headings(self) -> list[tuple[str, str]]:
        """Group and heading of each column; for one of no group its text and nothing."""
        return [(group, heading) for group, _, heading in (text.partition(": ") for text in self.columns)]

    def _width(self, headings: Sequence[str], figures: Sequence[int]) -> int:
        """In characters, of the names and some columns of figures, with a blank between two."""
        return sum(
            1 + max(len(headings[index]), *(len(row[index]) for row in self.rows), 0)
            for index in (*range(self.names), *figures)
        )

    def _part_to_rich(self, figures: Sequence[int], width: int) -> rich.table.Table:
        headings: Sequence[str] = self.columns
        if len({self._headings()[index][0] for index in figures}) == 1:
            headings = [heading or group for group, heading in self._headings()]
        whole = self._width(headings, figures) <= width
        table = rich.table.Table(box=rich.box.SIMPLE_HEAD, show_edge=False, padding=0)
        for heading in headings[: self.names]:
            table.add_column(heading, no_wrap=True)
        for index in figures:
            table.add_column(headings[index], justify="right", overflow="fold")
        for row in self.rows:
            cells = [row[index] if whole else row[index].partition(" (")[0] for index in figures]
            table.add_row(*row[: self.names], *cells)
        return table
