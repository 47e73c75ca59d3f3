"""The doubts of `arttl audit` as rows of the review app: each is a suggestion of one task of one object."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from arttl.exchange.doubts import doubt_batches, doubts_file
from arttl.review.columns import AUDIT, NO_STATUS, Codes, Labels, Lists, TaskColumns, starts_of
from arttl.review.reading import Part

_HEAD = ("object_number", "institution", "key")
_COLUMNS = (*_HEAD, "task", "rank", "catalogued", "label", "suggested", "suggested_probability")


@dataclass(frozen=True)
class Audit:
    """The doubts of a folder.

    Attributes:
        part: their columns.
        ranks: [N] int32, of each within its task, from 1.
    """

    part: Part
    ranks: Codes


def read_audit(folder: Path, labels: dict[str, Labels]) -> Audit:
    """Read the doubts of a folder.

    What is suggested are the catalogued labels without the doubted one and with the suggested one.

    Args:
        folder: that `arttl audit` has written.
        labels: task name to the labels that are known, to which those of the file are added.

    Raises:
        ArttlError: as `doubts_file` and `doubt_batches`.
    """
    texts: dict[str, list[pa.Array]] = {name: [] for name in _HEAD}
    tasks: dict[str, _Building] = {}
    ranks = array("i")
    for batch in doubt_batches(doubts_file(folder), _COLUMNS):
        for name in _HEAD:
            texts[name].append(batch[name])
        for row in batch.drop_columns(_HEAD).to_pylist():
            name = row["task"]
            if name not in tasks:
                tasks[name] = _Building(labels.setdefault(name, Labels()))
            tasks[name].add(len(ranks), row)
            ranks.append(min(max(row["rank"], 0), 2**31 - 1))
    count = len(ranks)
    joined = {name: pa.chunked_array(arrays, pa.string()).combine_chunks() for name, arrays in texts.items()}
    columns = {name: building.built(name, count) for name, building in tasks.items()}
    return Audit(Part(count, joined, 0, columns), np.frombuffer(ranks, np.int32))


class _Building:
    """The columns of one task, doubt by doubt."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._rows, self._probability = array("i"), array("f")
        self._suggested, self._catalogued = (array("i"), array("i")), (array("i"), array("i"))

    def add(self, row: int, doubt: dict[str, Any]) -> None:
        catalogued, suggested = doubt["catalogued"] or [], doubt["suggested"]
        instead = [label for label in catalogued if label != doubt["label"]]
        if suggested and suggested not in instead:
            instead.append(suggested)
        for (lengths, codes), names in ((self._suggested, instead), (self._catalogued, catalogued)):
            lengths.append(len(names))
            codes.extend(map(self._labels.code, names))
        probability = doubt["suggested_probability"]
        self._rows.append(row)
        self._probability.append(np.nan if probability is None else min(max(probability, 0), 1))

    def built(self, name: str, count: int) -> TaskColumns:
        """The columns over all rows, of which others are of other tasks."""
        rows = np.frombuffer(self._rows, np.int32)
        probability, status = np.full(count, np.nan, np.float32), np.full(count, NO_STATUS, np.int8)
        probability[rows], status[rows] = self._probability, AUDIT
        suggested, catalogued = (self._lists(each, count) for each in (self._suggested, self._catalogued))
        return TaskColumns(
            name=name,
            labels=self._labels,
            suggested=suggested,
            catalogued=catalogued,
            probability=probability,
            status=status,
            is_multiple=bool(max(suggested.lengths.max(), catalogued.lengths.max()) > 1),
        )

    def _lists(self, of_rows: tuple[array[int], array[int]], count: int) -> Lists:
        lengths = np.zeros(count, np.int32)
        lengths[np.frombuffer(self._rows, np.int32)] = of_rows[0]
        return Lists(starts_of(lengths), np.array(of_rows[1], np.int32))
