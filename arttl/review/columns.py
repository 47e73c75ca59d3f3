"""What the review app keeps in memory of suggestions and doubts: a few bytes per row and task, as arrays.

Rows are those of `suggestions.parquet`, then those of `audit.parquet`; all else of a row is read when it is looked at
(`arttl/review/details.py`). Labels are numbers, and each different label is kept once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from arttl.characters import typed_text
from arttl.exchange.values import Status

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]

HEAD = ("object_number", "institution", "picture", "key", "title", "date")
"""Columns that name an object; those that are texts are read."""
STATUSES = (*get_args(Status), "audit")
"""What a row is: a suggestion of one of its statuses, or a doubt of `arttl audit`."""
SUGGESTED, UNSURE, OUTSIDE, AUDIT = range(4)
NO_STATUS = -1
"""Of a picture that could not be read, and of a row of another task."""


@dataclass(frozen=True)
class Lists:
    """A list of labels per row.

    Attributes:
        starts: [N + 1] int32, where each row's labels begin in `codes`.
        codes: of the labels of all rows.
    """

    starts: Codes
    codes: Codes

    @property
    def lengths(self) -> Codes:
        """How many labels each row has, [N] int32."""
        return np.diff(self.starts)

    def of(self, row: int) -> list[int]:
        """The labels of a row."""
        return list(self.codes[self.starts[row] : self.starts[row + 1]].tolist())

    def owners(self) -> Codes:
        """The row of each of `codes`."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), self.lengths)

    def rows_with(self, code: int) -> npt.NDArray[np.bool_]:
        """Whether a row has a label, [N] bool."""
        having = np.zeros(len(self.starts) - 1, dtype=bool)
        having[np.searchsorted(self.starts, np.flatnonzero(self.codes == code), "right") - 1] = True
        return having

    def take(self, rows: Rows) -> Lists:
        """The lists of some rows, in their order."""
        lengths = self.lengths[rows]
        starts = starts_of(lengths)
        places = np.repeat(self.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1], dtype=np.int32)
        return Lists(starts, self.codes[places])

    def differs_from(self, other: Lists) -> npt.NDArray[np.bool_]:
        """Whether a row has another set of labels than in other lists, [N] bool."""
        differs = self.lengths != other.lengths
        same = np.flatnonzero(~differs & (self.lengths > 0))
        single = same[self.lengths[same] == 1]
        differs[single] = self.codes[self.starts[single]] != other.codes[other.starts[single]]
        for row in same[self.lengths[same] > 1].tolist():
            differs[row] = {*self.of(row)} != {*other.of(row)}
        return differs


def starts_of(lengths: Codes) -> Codes:
    """Where lists of these lengths begin, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])


class Labels:
    """The labels of a task by their number."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}
        self._folded: list[str] = []

    def code(self, name: str) -> int:
        """The number of a label, a new one where it is new."""
        code = self._codes.setdefault(name, len(self.names))
        if code == len(self.names):
            self.names.append(name)
        return code

    def folded(self) -> list[str]:
        """The labels as `typed_text` makes them, by their number."""
        folded = self._folded
        if len(folded) < len(self.names):
            # Several threads may come here at once: a list that is replaced, and never extended, holds each label once.
            folded = self._folded = [*folded, *map(typed_text, self.names[len(folded) :])]
        return folded

    def find(self, name: str) -> int | None:
        """The number of a label; None where there is none."""
        return self._codes.get(name)

    def encode(self, texts: pa.Array) -> Codes:
        """The numbers of many labels."""
        encoded = texts.dictionary_encode()
        known = np.array([self.code(name) for name in encoded.dictionary.to_pylist()], dtype=np.int32)
        return known[encoded.indices.to_numpy()] if len(known) else np.zeros(0, np.int32)


@dataclass(frozen=True)
class TaskColumns:
    """One task of every row.

    Attributes:
        name: of the task.
        labels: all that occur.
        suggested: labels.
        catalogued: labels, none where the file has no such column.
        probability: the lowest of the suggested labels, [N] float32; NaN where there is none.
        status: index in `STATUSES`, or `NO_STATUS`, [N] int8.
        is_multiple: whether any row has several labels.
    """

    name: str
    labels: Labels
    suggested: Lists
    catalogued: Lists
    probability: npt.NDArray[np.float32]
    status: npt.NDArray[np.int8]
    is_multiple: bool


def joined(first: TaskColumns | None, second: TaskColumns | None, counts: tuple[int, int]) -> TaskColumns:
    """The columns of a task over the rows of two files; of a file without the task they are empty.

    Args:
        first, second: of the same labels.
        counts: rows of the two files.
    """
    given = first or second
    assert given is not None
    parts = [
        each or empty(given.name, given.labels, count)
        for each, count in zip((first, second), counts, strict=True)
    ]
    lists = {
        name: Lists(
            starts_of(np.concatenate([getattr(part, name).lengths for part in parts])),
            np.concatenate([getattr(part, name).codes for part in parts]),
        )
        for name in ("suggested", "catalogued")
    }
    return TaskColumns(
        name=given.name,
        labels=given.labels,
        probability=np.concatenate([part.probability for part in parts]),
        status=np.concatenate([part.status for part in parts]),
        is_multiple=any(part.is_multiple for part in parts),
        **lists,
    )


def empty(name: str, labels: Labels, count: int) -> TaskColumns:
    """A task that rows say nothing of."""
    none = Lists(np.zeros(count + 1, np.int32), np.zeros(0, np.int32))
    return TaskColumns(
        name,
        labels,
        none,
        none,
        np.full(count, np.nan, np.float32),
        np.full(count, NO_STATUS, np.int8),
        False,
    )
