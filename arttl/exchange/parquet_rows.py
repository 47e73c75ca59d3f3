"""Rows of Parquet files that a stranger may have written, a few hundred at a time and within limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from arttl.decisions.decision import LONGEST_TEXT
from arttl.errors import ArttlError
from arttl.shards.parquet_batches import BoundedFile

_BATCH = 512  # rows that are read at once, each of which may repeat a long text of the file
_BATCHES_AT_ONCE, _BYTES_AT_ONCE = 32, 16 * 2**20  # that are encoded at once, which is faster


def checked_batches(
    table: BoundedFile, columns: Sequence[str] | None, path: Path, group: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Up to 512 rows of a file at a time, whose texts are valid and no longer than a decision may hold.

    Args:
        table: the file.
        columns: that are read; None: all.
        path: of the file.
        group: number of the row group that is read; None: all.

    Raises:
        ArttlError: for a longer text, or as of `BoundedFile.batches`.
    """
    first = 1
    for batch in table.batches(columns, _BATCH, None if group is None else [group]):
        batch.validate(full=True)  # texts that are no UTF-8 would be found where they are used
        for texts in _all_texts(batch.columns):
            if len(texts) and (pc.max(pc.utf8_length(texts)).as_py() or 0) > LONGEST_TEXT:
                raise ArttlError(
                    f"one of the rows {first:,} to {first + len(batch) - 1:,} of {path} holds a text of more than"
                    f" {LONGEST_TEXT:,} characters"
                )
        first += len(batch)
        yield batch


def batches(table: BoundedFile, columns: Sequence[str], path: Path) -> Iterator[pa.RecordBatch]:
    """`checked_batches` of a whole file, several together."""
    waiting, size = list[pa.RecordBatch](), 0
    for batch in checked_batches(table, columns, path):
        waiting.append(batch)
        size += batch.nbytes
        if size > _BYTES_AT_ONCE or len(waiting) == _BATCHES_AT_ONCE:
            yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()
            waiting, size = [], 0
    if waiting:
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()


def check_names(where: str, schema: pa.Schema) -> None:
    """Refuse a table with two columns of a name.

    Raises:
        ArttlError: naming it.
    """
    names = schema.names
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise ArttlError(f"{where} has two columns {repeated!r}")


def _all_texts(arrays: Sequence[pa.Array]) -> Iterator[pa.Array]:
    """The texts within arrays of any type."""
    for array in arrays:
        if pa.types.is_string(array.type):
            yield array
        elif pa.types.is_list(array.type):
            yield from _all_texts([array.flatten()])
        elif pa.types.is_struct(array.type):
            yield from _all_texts(array.flatten())
