"""The museum's own table with what was decided in columns behind its own, which stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arttl.characters import plain_text
from arttl.decisions.decision import Row, Subject
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.records.delimited import without_formula
from arttl.records.delimited_cells import Layout, read_cells, read_layout
from arttl.records.usual_columns import USUAL_NUMBERS
from arttl.shards.csv_files import csv_text, safe_cell

_BETWEEN = "; "  # labels in one cell, as arttl predict writes them
_OF_DECISION = ("decided", "verdict", "suggested", "probability", "reviewer", "time")


@dataclass
class DecidedTable:
    """A table of objects, and the decisions about them.

    Attributes:
        path: of the table.
        tasks: name to the table's own column of its labels, empty where it has none.
        decided: object number and task to what was decided.
        unused: tasks that were named, and that no decision is about.
        unnumbered: how many decisions are about pictures without an object number, which no row of the table is of.
        written: decisions that were written, by object number and task.
    """

    path: Path
    layout: Layout
    encoding: str | None
    column: int
    tasks: Mapping[str, str]
    decided: Mapping[tuple[str, str], Row]
    unused: Sequence[str] = ()
    unnumbered: int = 0
    written: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(
        cls,
        path: Path,
        decided: Mapping[Subject, Row],
        *,
        object_number: str | None,
        columns: Mapping[str, str],
        encoding: str | None,
    ) -> DecidedTable:
        """Read the header of a table.

        Args:
            path: CSV or TSV.
            decided: subject to what was decided.
            object_number: the column of the object number; None: one of a usual name.
            columns: task to the table's own column, where it is named otherwise.
            encoding: of the file, where it is neither UTF-8 nor marked.

        Raises:
            ArttlError: for a column that is missing or that would be there twice, or where objects of several
                institutions have one number.
        """
        layout = read_layout(path, encoding=encoding)
        names = [plain_text(name) for name in layout.columns]
        own = {task: columns.get(task, task) for task in dict.fromkeys(subject.task for subject in decided)}
        for task, column in columns.items():
            if plain_text(column) not in names:
                raise ArttlError(
                    f"--tasks {task}={column}: {path} has no column {column!r}{did_you_mean(column, names)}"
                )
        by_number: dict[tuple[str, str], Row] = {}
        for subject, row in decided.items():
            key = subject.object_number, subject.task
            if subject.object_number and by_number.setdefault(key, row) is not row:
                raise ArttlError(
                    f"{subject.object_number!r} is the number of objects of several institutions: name one with"
                    " --institution"
                )
        table = cls(
            path=path,
            layout=layout,
            encoding=encoding,
            column=names.index(_number_column(path, names, object_number)),
            tasks={task: column if plain_text(column) in names else "" for task, column in own.items()},
            decided=by_number,
            unused=[task for task in columns if task not in own],
            unnumbered=sum(not subject.object_number for subject in decided),
        )
        if twice := {*table.headings()} & {*layout.columns}:
            raise ArttlError(f"{path} has a column {min(twice)!r} already: rename or delete it")
        return table

    def headings(self) -> list[str]:
        """The columns that are appended."""
        headings = []
        for task, column in self.tasks.items():
            headings += [f"{task}_{name}" for name in _OF_DECISION]
            headings += [f"{task}_after_review"] if column else []
        return headings

    def chunks(self) -> Iterator[bytes]:
        """The table, in its own encoding and with its own delimiter.

        Raises:
            ArttlError: if it cannot be read, or its encoding lacks a letter of a label.
        """
        layout = self.layout
        yield layout.before
        for text in csv_text(self._rows(), delimiter=layout.delimiter, newline=layout.newline):
            try:
                yield text.encode(layout.codec)
            except UnicodeEncodeError as error:
                raise ArttlError(
                    f"{error.object[error.start : error.end]!r} cannot be written in {layout.codec}, the encoding of"
                    f" {self.path}: save that as UTF-8"
                ) from error

    def _rows(self) -> Iterator[Sequence[str]]:
        names = [plain_text(name) for name in self.layout.columns]
        places = {task: names.index(plain_text(column)) for task, column in self.tasks.items() if column}
        width = len(self.layout.columns)
        yield [*self.layout.columns, *self.headings()]
        for cells in read_cells(self.path, encoding=self.encoding):
            if len(cells) > width:
                raise ArttlError(
                    f"a row of {self.path} has {len(cells)} cells, and its header {width}: {cells[0]!r}"
                )
            full = [*cells, *[""] * (width - len(cells))]
            number = plain_text(without_formula(full[self.column]).strip())
            yield [*full, *map(safe_cell, self._decided_cells(number, full, places))]

    def _decided_cells(self, number: str, own: Sequence[str], places: Mapping[str, int]) -> Iterator[str]:
        for task in self.tasks:
            row = self.decided.get((number, task))
            if row is None:
                yield from [""] * len(_OF_DECISION)
            else:
                self.written.add((number, task))
                decision = row.decision
                share = "" if decision.probability is None else f"{decision.probability:.4f}"
                yield from (
                    _BETWEEN.join(decision.labels),
                    decision.verdict,
                    _BETWEEN.join(decision.suggested),
                )
                yield from (share, decision.reviewer, row.time)
            if task in places:
                labels = row.decision.labels if row is not None else ()
                yield _BETWEEN.join(labels) or without_formula(own[places[task]])

    def sentences(self) -> Iterator[str]:
        """What was written, and what was not."""
        yield f"table: {counted(len(self.written), 'decision')} beside the rows of {self.path}"
        for task in self.unused:
            yield f"table: no decision is about the task {task!r} of --tasks{did_you_mean(task, self.tasks)}"
        if without := [task for task, column in self.tasks.items() if not column]:
            columns = " ".join(f"{task}=COLUMN" for task in without)
            yield (
                f"table: no column of {self.path} is called {' or '.join(map(repr, without))}, so that"
                f" {', '.join(f'{task}_after_review' for task in without)} is left out; name it with --tasks {columns}"
            )
        if self.unnumbered:
            are = counted(self.unnumbered, "decision is", "decisions are")
            yield f"table: {are} about pictures without an object number, and left out; --to jsonl has them"
        missing = [key for key in self.decided if key not in self.written]
        if missing:
            are = counted(len(missing), "decision is", "decisions are")
            yield f"table: {are} about objects that {self.path} lacks, such as {missing[0][0]!r}"


def _number_column(path: Path, names: Sequence[str], object_number: str | None) -> str:
    if object_number is not None:
        if plain_text(object_number) not in names:
            raise ArttlError(
                f"--object-number: {path} has no column {object_number!r}{did_you_mean(object_number, names)}"
            )
        return plain_text(object_number)
    plain = {
        "".join(letter for letter in name.casefold() if letter.isalnum()): name for name in reversed(names)
    }
    usual = next((plain[name] for name in USUAL_NUMBERS if name in plain), None)
    if usual is None:
        raise ArttlError(
            f"{path} has no column with a usual name for object numbers: name it with --object-number"
        )
    return usual
