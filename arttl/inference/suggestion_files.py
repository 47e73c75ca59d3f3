"""Tables of suggestions: CSV for spreadsheets, Parquet and JSON lines with all labels of a picture nested."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arttl.errors import ArttlError
from arttl.files import whole_file, write_bytes
from arttl.inference.suggestions import Suggestion
from arttl.shards.csv_files import csv_chunks
from arttl.tasks import TaskSet

_ROWS = 4096  # of a group of a Parquet file
_BETWEEN = "; "  # labels in one cell


class SuggestionFile:
    """One table, in the format that the file's name ends with.

    A record is a picture: the columns of `head`, `problem` (what is wrong with the picture; None for nothing), and its
    suggestions.
    """

    def __init__(self, path: Path, head: Sequence[str], tasks: TaskSet, top: int, *, sets: bool) -> None:
        """Prepare a table.

        Args:
            path: ends in .csv, .parquet or .jsonl.
            head: columns that name a picture.
            tasks: of the model.
            top: ranked labels per task.
            sets: whether there are candidate sets.

        Raises:
            ArttlError: for another ending.
        """
        if path.suffix not in (".csv", ".parquet", ".jsonl"):
            raise ArttlError(f"--out {path} must end in .csv, .parquet or .jsonl")
        self._path, self._head, self._tasks, self._top, self._sets = path, tuple(head), tasks, top, sets
        self._columns = self._headings()

    def write(self, records: Iterable[tuple[Sequence[str], str | None, dict[str, Suggestion]]]) -> None:
        """Write all records; the file appears whole.

        Raises:
            WriteError: if it cannot be written.
        """
        if self._path.suffix == ".csv":
            write_bytes(self._path, csv_chunks(self._columns, map(self._cells, records)))
        elif self._path.suffix == ".jsonl":
            write_bytes(
                self._path,
                (
                    json.dumps(self._nested(*record), ensure_ascii=False).encode() + b"\n"
                    for record in records
                ),
            )
        else:
            rows = (self._nested(*record) for record in records)
            schema = self._schema()
            with (
                whole_file(self._path) as temporary,
                pq.ParquetWriter(temporary, schema, compression="zstd") as file,
            ):
                while group := list(islice(rows, _ROWS)):
                    file.write_table(pa.Table.from_pylist(group, schema))

    def _headings(self) -> list[str]:
        columns = [*self._head, "problem"]
        for task in self._tasks:
            columns += [task.name, f"{task.name}_probability", f"{task.name}_status"]
            if task.kind != "number":
                for rank in range(2, self._top + 1):
                    columns += [f"{task.name}_{rank}", f"{task.name}_{rank}_probability"]
            columns += [f"{task.name}_set"] if self._sets else []
        return columns

    def _cells(self, record: tuple[Sequence[str], str | None, dict[str, Suggestion]]) -> list[Any]:
        head, problem, suggestions = record
        cells: list[Any] = [*head, problem or ""]
        if problem is not None:
            return cells + [""] * (len(self._columns) - len(cells))
        for task in self._tasks:
            suggestion = suggestions[task.name]
            labels = suggestion.prediction.labels
            cells += [
                _BETWEEN.join(suggestion.prediction.names),
                _rounded(labels[-1].probability),
                suggestion.status,
            ]
            if task.kind != "number":
                ranked = suggestion.prediction.ranked[1 : self._top]
                for label in ranked:
                    cells += [label.label, _rounded(label.probability)]
                cells += [""] * (2 * (self._top - 1 - len(ranked)))
            if self._sets and suggestion.interval is not None:
                cells.append(" to ".join(task.statistics.text(end) for end in suggestion.interval))
            elif self._sets:
                cells.append(_BETWEEN.join(suggestion.candidates or ()))
        return cells

    def _nested(
        self, head: Sequence[str], problem: str | None, suggestions: dict[str, Suggestion]
    ) -> dict[str, Any]:
        record: dict[str, Any] = dict(zip(self._head, head, strict=True)) | {"problem": problem}
        for name, suggestion in suggestions.items():
            record[name] = {
                "labels": list(suggestion.prediction.names),
                "status": suggestion.status,
                "ranked": [
                    {"label": label.label, "probability": label.probability}
                    for label in suggestion.prediction.ranked
                ],
            }
            if self._sets:
                record[name]["set"] = None if suggestion.candidates is None else list(suggestion.candidates)
                record[name]["interval"] = None if suggestion.interval is None else list(suggestion.interval)
        return record

    def _schema(self) -> pa.Schema:
        ranked = pa.list_(pa.struct({"label": pa.string(), "probability": pa.float64()}))
        fields = {"labels": pa.list_(pa.string()), "status": pa.string(), "ranked": ranked}
        if self._sets:
            fields |= {"set": pa.list_(pa.string()), "interval": pa.list_(pa.float64())}
        columns = dict.fromkeys((*self._head, "problem"), pa.string())
        return pa.schema({**columns, **{name: pa.struct(fields) for name in self._tasks.names}})


def _rounded(probability: float | None) -> str:
    """A probability as a cell has it, with four decimals: the tables of metrics show one of a per cent."""
    return "" if probability is None else f"{probability:.4f}"
