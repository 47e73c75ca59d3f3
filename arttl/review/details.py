"""All that the files say of one row, read when a person looks at it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from arttl.documents import structured
from arttl.errors import ArttlError, one_line
from arttl.exchange.doubts import DoubtRecord, SimilarObject, doubt_of
from arttl.exchange.parquet_rows import checked_batches
from arttl.exchange.predictions import Ranked
from arttl.review.reading import task_names
from arttl.shards.parquet_batches import BoundedFile, Source

MOST_RANKED = 20
"""Labels of a task that are shown with their probability."""
MOST_NEIGHBOURS = 10

_KEPT = 24  # batches


@dataclass(frozen=True)
class TaskDetails:
    """What `arttl predict` says of one task, see `docs/predict.md`."""

    ranked: tuple[Ranked, ...] | None = None
    set: tuple[str, ...] | None = None
    interval: tuple[float, ...] | None = None
    uris: tuple[str, ...] | None = None


@dataclass(frozen=True)
class SuggestionDetails:
    """What a row of suggestions says.

    Attributes:
        tasks: name to what is suggested, of tasks that have anything.
        nearest: catalogued objects.
        problem: why the picture could not be read; None: it could.
    """

    tasks: Mapping[str, TaskDetails]
    nearest: tuple[SimilarObject, ...] = ()
    problem: str | None = None


class RecordFile:
    """The rows of a Parquet file as Python's objects, for any number of threads; some are kept in memory."""

    def __init__(self, path: Path, source: Source) -> None:
        """Open a file that `read_suggestions` or `read_audit` has read.

        Args:
            path: of the file, for messages.
            source: where it is read from.

        Raises:
            ArttlError: if it cannot be read.
        """
        self._path, self._lock = path, threading.Lock()
        self._batches: OrderedDict[int, tuple[int, pa.RecordBatch]] = OrderedDict()
        try:
            self._table = BoundedFile(path, source)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._unreadable(error) from error
        self.tasks = task_names(self._table.file.schema_arrow)
        self._starts = np.concatenate([[0], np.cumsum(self._table.rows_of_groups, dtype=np.int64)])

    def record(self, row: int) -> dict[str, Any]:
        """A row.

        Raises:
            ArttlError: if it cannot be read.
        """
        with self._lock:
            for first, batch in self._batches.values():
                if first <= row < first + len(batch):
                    self._batches.move_to_end(first)
                    return dict(batch.slice(row - first, 1).to_pylist()[0])
            try:
                return self._read(row)
            except (pa.ArrowException, OSError, ValueError, IndexError) as error:
                raise self._unreadable(error) from error

    def _read(self, row: int) -> dict[str, Any]:
        group = int(np.searchsorted(self._starts, row, "right")) - 1
        first = int(self._starts[group])
        for batch in checked_batches(self._table, None, self._path, group):
            if row < first + len(batch):
                self._batches[first] = (first, batch)
                if len(self._batches) > _KEPT:
                    self._batches.popitem(last=False)
                return dict(batch.slice(row - first, 1).to_pylist()[0])
            first += len(batch)
        raise IndexError(f"it has no row {row}")

    def _unreadable(self, error: Exception) -> ArttlError:
        return ArttlError(f"{self._path} cannot be read as Parquet any more: {one_line(error)}")

    def suggestion(self, row: int) -> SuggestionDetails:
        """A row of suggestions.

        Raises:
            ArttlError: if it cannot be read, or is not as `arttl predict` writes it.
        """
        record, where = self.record(row), f"row {row + 1} of {self._path}"
        tasks = {
            name: structured(record[name], TaskDetails, where, surplus=True)
            for name in self.tasks
            if record[name] is not None
        }
        nearest = structured(record.get("nearest") or [], tuple[SimilarObject, ...], where, surplus=True)
        problem = structured(record.get("problem"), str | None, where)  # type: ignore[arg-type]
        return SuggestionDetails(tasks, nearest[:MOST_NEIGHBOURS], problem)

    def doubt(self, row: int) -> DoubtRecord:
        """A row of an audit.

        Raises:
            ArttlError: if it cannot be read, or is not as `arttl audit` writes it.
        """
        return doubt_of(self.record(row), f"row {row + 1} of {self._path}")
