"""Tables of suggestions: CSV for spreadsheets, Parquet and JSON lines with all labels of a picture nested.

A table is made of parts: each is a file of its own, and all of them joined are the table, to the same bytes whether
they were written in one go or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arttl.errors import ArttlError
from arttl.files import whole_file, write_bytes
from arttl.inference.suggestions import Suggestion
from arttl.records.delimited_cells import Layout
from arttl.shards.csv_files import csv_text, safe_cell
from arttl.suggesting.collections import Row
from arttl.suggesting.neighbours import Neighbour
from arttl.tasks import TaskSet
from arttl.vocabularies.table import Vocabularies

_BETWEEN = "; "  # labels in one cell
_PREFIX = "suggested_"


@dataclass(frozen=True)
class Record:
    """A picture in a table.

    Attributes:
        row: what names it.
        problem: what is wrong with it; None for nothing.
        suggestions: by task; none where there is a problem.
        neighbours: the nearest catalogued objects, the nearest first.
    """

    row: Row
    problem: str | None
    suggestions: dict[str, Suggestion]
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True)
class Columns:
    """What a table has of each picture.

    Attributes:
        head: columns that name a picture.
        catalogued: tasks of which the catalogue has labels.
        tasks: of the model.
        top: ranked labels per task.
        sets: whether there are candidate sets.
        nearest: how many catalogued objects.
        vocabularies: identifiers of labels; None: there is no column for them.
    """

    head: tuple[str, ...]
    catalogued: tuple[str, ...]
    tasks: TaskSet
    top: int
    sets: bool
    nearest: int = 0
    vocabularies: Vocabularies | None = None

    def addresses(self, task: str, labels: Sequence[str]) -> list[str]:
        """Of the concepts of some labels, in their order."""
        if self.vocabularies is None:
            return []
        return [concept.uri for label in labels for concept in self.vocabularies.identifiers(task, label)]


class CsvTable:
    """A CSV for spreadsheets, or the museum's own table with columns appended.

    The museum's cells stay as they are; in the others no text runs as a formula, see `arttl.shards.csv_files`.
    """

    def __init__(self, columns: Columns, layout: Layout | None = None, widest: int = 0) -> None:
        """Prepare a table.

        Args:
            columns: what it has.
            layout: of the table that is extended.
            widest: cells of that table's longest row.

        Raises:
            ArttlError: if two columns would have the same name, or a label cannot be written in the table's encoding.
        """
        self._columns, self._layout, self._widest = columns, layout, widest
        own: list[str] = list(layout.columns) if layout is not None else []
        own += [""] * (widest - len(own))
        headings = self._headings("")
        if {*own} & {*headings} or len({*headings}) < len(headings):
            headings = self._headings(_PREFIX)
        if twice := {name for name in own if name in headings} | {
            name for name in headings if headings.count(name) > 1
        }:
            raise ArttlError(
                f"two columns of the table would be named {min(twice)!r}: delete or rename those that an earlier arttl"
                " predict has appended, or write --out *.parquet, which nests them"
            )
        self.headings = [*own, *headings]
        if layout is not None:
            self._check_encoding(layout.codec)

    @property
    def renamed(self) -> bool:
        """Whether the columns begin with `suggested_`, since others have their names."""
        return self.headings[-1].startswith(_PREFIX)

    def write_part(self, path: Path, records: Iterable[Record]) -> None:
        """Write some rows; the file appears whole."""
        write_bytes(path, (self._encoded(text) for text in self._text(map(self._cells, records))))

    def join(self, path: Path, parts: Sequence[Path]) -> None:
        """Write the table of all parts; it appears whole."""
        before = self._layout.before if self._layout is not None else b""
        header = "".join(self._text([self.headings]))

        def pieces() -> Iterator[bytes]:
            yield before + self._encoded(header)
            for part in parts:
                yield part.read_bytes()

        write_bytes(path, pieces())

    def _text(self, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
        if self._layout is None:
            return csv_text(rows)
        return csv_text(rows, delimiter=self._layout.delimiter, newline=self._layout.newline)

    def _encoded(self, text: str) -> bytes:
        # Only a reason that quotes a file may have other letters: labels have been checked.
        return text.encode(self._layout.codec if self._layout else "utf-8", "backslashreplace")

    def _check_encoding(self, codec: str) -> None:
        for task in self._columns.tasks:
            for label in (task.name, *(task.vocabulary.classes if task.kind != "number" else ())):
                try:
                    label.encode(codec)
                except UnicodeEncodeError as error:
                    raise ArttlError(
                        f"{label!r} of {task.name} cannot be written in {codec}, the encoding of --metadata: save that"
                        " as UTF-8, or write --out *.parquet"
                    ) from error

    def _headings(self, prefix: str) -> list[str]:
        columns = [] if self._layout is not None else list(self._columns.head)
        columns.append(f"{prefix}problem")
        for task in self._columns.tasks:
            if task.name in self._columns.catalogued and self._layout is None:
                columns.append(f"{task.name}_catalogued")
            name = prefix + task.name
            columns += [name, f"{name}_probability", f"{name}_status"]
            if task.kind != "number":
                for rank in range(2, self._columns.top + 1):
                    columns += [f"{name}_{rank}", f"{name}_{rank}_probability"]
            columns += [f"{name}_set"] if self._columns.sets else []
            columns += [f"{name}_uri"] if self._columns.vocabularies is not None else []
        for rank in range(1, self._columns.nearest + 1):
            name = f"{prefix}nearest_{rank}"
            columns += [name, f"{name}_similarity", f"{name}_labels"]
        return columns

    def _cells(self, record: Record) -> list[Any]:
        cells: list[Any] = [] if self._layout is not None else list(record.row.head)
        cells.append(record.problem or "")
        for task in self._columns.tasks:
            if task.name in self._columns.catalogued and self._layout is None:
                cells.append(_BETWEEN.join(record.row.catalogued.get(task.name, ())))
            start = len(cells)
            width = 3 + (2 * (self._columns.top - 1) if task.kind != "number" else 0) + self._columns.sets
            if record.problem is None:
                suggestion = record.suggestions[task.name]
                prediction = suggestion.prediction
                cells.append(_BETWEEN.join(prediction.names))
                cells += [_rounded(prediction.labels[-1].probability), suggestion.status]
                if task.kind != "number":
                    for label in prediction.ranked[1 : self._columns.top]:
                        cells += [label.label, _rounded(label.probability)]
                cells += [""] * (start + width - len(cells) - self._columns.sets)
                if self._columns.sets and suggestion.interval is not None:
                    cells.append(" to ".join(task.statistics.text(end) for end in suggestion.interval))
                elif self._columns.sets:
                    cells.append(_BETWEEN.join(suggestion.candidates or ()))
            cells += [""] * (start + width - len(cells))
            if self._columns.vocabularies is not None:
                names = () if record.problem is not None else record.suggestions[task.name].prediction.names
                cells.append(" ".join(self._columns.addresses(task.name, names)))
        for neighbour in record.neighbours:
            labels = (f"{task}: {', '.join(names)}" for task, names in neighbour.labels.items())
            cells += [neighbour.object_number, f"{neighbour.similarity:.4f}", _BETWEEN.join(labels)]
        cells += [""] * (3 * (self._columns.nearest - len(record.neighbours)))
        own = [*record.row.cells, *[""] * (self._widest - len(record.row.cells))]
        return [*own, *map(safe_cell, cells)]


class JsonLinesTable:
    """A JSON object per picture and line, labels nested by task."""

    def __init__(self, columns: Columns) -> None:
        """Prepare a table of such columns."""
        _check_nested(columns)
        self._columns = columns

    def write_part(self, path: Path, records: Iterable[Record]) -> None:
        """Write some lines; the file appears whole."""
        lines = (json.dumps(_nested(self._columns, record), ensure_ascii=False) for record in records)
        write_bytes(path, (line.encode() + b"\n" for line in lines))

    def join(self, path: Path, parts: Sequence[Path]) -> None:
        """Write the table of all parts; it appears whole."""
        write_bytes(path, (part.read_bytes() for part in parts))


class ParquetTable:
    """A Parquet table with a row per picture and a structure per task; a row group per part."""

    def __init__(self, columns: Columns) -> None:
        """Prepare a table of such columns."""
        _check_nested(columns)
        self._columns = columns
        labels = pa.list_(pa.string())
        ranked = pa.list_(pa.struct({"label": pa.string(), "probability": pa.float64()}))
        fields = {"labels": labels, "status": pa.string(), "ranked": ranked}
        if columns.sets:
            fields |= {"set": labels, "interval": pa.list_(pa.float64())}
        if columns.vocabularies is not None:
            fields["uris"] = labels
        of_tasks = {
            task: pa.struct({"catalogued": labels, **fields} if task in columns.catalogued else fields)
            for task in columns.tasks.names
        }
        head = dict.fromkeys((*columns.head, "problem"), pa.string())
        nearest = {}
        if columns.nearest:
            by_task = pa.list_(pa.struct({"task": pa.string(), "labels": labels}))
            neighbour = {"object_number": pa.string(), "key": pa.string(), "similarity": pa.float64()}
            nearest["nearest"] = pa.list_(pa.struct({**neighbour, "catalogued": by_task}))
        self._schema = pa.schema({**head, **of_tasks, **nearest})

    def write_part(self, path: Path, records: Iterable[Record]) -> None:
        """Write some rows; the file appears whole."""
        rows = [_nested(self._columns, record) for record in records]
        with whole_file(path) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, self._schema), temporary, compression="zstd")

    def join(self, path: Path, parts: Sequence[Path]) -> None:
        """Write the table of all parts; it appears whole."""
        with (
            whole_file(path) as temporary,
            pq.ParquetWriter(temporary, self._schema, compression="zstd") as file,
        ):
            for part in parts:
                file.write_table(pq.read_table(part, schema=self._schema))


def _check_nested(columns: Columns) -> None:
    """Refuse tasks named like another column, which no table could tell apart.

    Raises:
        ArttlError: naming the first.
    """
    for name in (*columns.head, "problem", "nearest"):
        if name in columns.tasks:
            raise ArttlError(f"the model has a task {name!r}, and the table a column: write --out *.csv")


def _nested(columns: Columns, record: Record) -> dict[str, Any]:
    nested: dict[str, Any] = dict(zip(columns.head, record.row.head, strict=True))
    nested["problem"] = record.problem
    for name in columns.tasks.names:
        of_task: dict[str, Any] = {}
        if name in columns.catalogued:
            of_task["catalogued"] = list(record.row.catalogued.get(name, ()))
        if record.problem is None:
            suggestion = record.suggestions[name]
            of_task |= {
                "labels": list(suggestion.prediction.names),
                "status": suggestion.status,
                "ranked": [
                    {"label": label.label, "probability": label.probability}
                    for label in suggestion.prediction.ranked
                ],
            }
            if columns.sets:
                of_task["set"] = None if suggestion.candidates is None else list(suggestion.candidates)
                of_task["interval"] = None if suggestion.interval is None else list(suggestion.interval)
            if columns.vocabularies is not None:
                of_task["uris"] = columns.addresses(name, suggestion.prediction.names)
        nested[name] = of_task or None
    if columns.nearest:
        nested["nearest"] = [
            {
                "object_number": neighbour.object_number,
                "key": neighbour.key,
                "similarity": neighbour.similarity,
                "catalogued": [
                    {"task": task, "labels": list(names)} for task, names in neighbour.labels.items()
                ],
            }
            for neighbour in record.neighbours
        ]
    return nested


def _rounded(probability: float | None) -> str:
    """A probability as a cell has it, with four decimals: the tables of metrics show one of a per cent."""
    return "" if probability is None else f"{probability:.4f}"
