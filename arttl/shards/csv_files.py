"""The CSV tables beside the shards: UTF-8, a line feed after each row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from arttl.errors import ArttlError

_CHUNK = 1 << 16  # characters


def csv_chunks(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A table of any length, a chunk of rows at a time.

    Args:
        columns: the headings.
        rows: a cell for each column.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(row)
        if text.tell() > _CHUNK:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a table, each as column name to cell.

    Raises:
        ArttlError: if the file is missing, is not such a table, or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                yield {column: row[column] for column in columns}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ArttlError(f"{path} cannot be read: {error}; run arttl shards verify") from error
