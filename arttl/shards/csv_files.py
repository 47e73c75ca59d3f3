"""CSV tables that a spreadsheet may open: UTF-8, a line feed after each row, no cell that would run as a formula.

A text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return, and is not a number, gets an apostrophe in front
(OWASP, CSV injection), as does one that begins with apostrophes and such a character; `plain_cell` takes it off again.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from arttl.errors import ArttlError

_CHUNK = 1 << 16  # characters
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]\d+(?:\.\d+)?%?\Z", re.ASCII)


class _Lines(io.StringIO):
    """Rows of a `csv.writer` with another end.

    With a line feed as its `lineterminator` the writer would leave a carriage return in a cell unquoted, and readers
    would end the row there (before Python 3.13).
    """

    def __init__(self, newline: str) -> None:
        super().__init__(newline="")
        self._newline = newline

    def write(self, row: str) -> int:
        return super().write(row.removesuffix("\r\n") + self._newline)


def safe_cell(cell: Any) -> Any:
    """A cell that no spreadsheet runs; what is no text stays as it is."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.match(cell):
        return "'" + cell
    return cell


def plain_cell(cell: str) -> str:
    """The inverse of `safe_cell`, for texts."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def csv_chunks(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A table of any length, a chunk of rows at a time.

    Args:
        columns: the headings.
        rows: a cell for each column.
    """
    safe = (list(map(safe_cell, row)) for row in rows)
    return (text.encode() for text in csv_text(itertools.chain((columns,), safe)))


def csv_text(rows: Iterable[Sequence[Any]], *, delimiter: str = ",", newline: str = "\n") -> Iterator[str]:
    """Rows of any number as text, a chunk of them at a time, their cells as they are; see `safe_cell`.

    Args:
        rows: of cells.
        delimiter: between cells.
        newline: after a row.
    """
    text = _Lines(newline)
    writer = csv.writer(text, delimiter=delimiter)
    for row in rows:
        writer.writerow(row)
        if text.tell() > _CHUNK:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a table, each as column name to cell.

    Raises:
        ArttlError: if the file is missing, is not such a table, or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                yield {column: plain_cell(row[column] or "") for column in columns}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ArttlError(f"{path} cannot be read: {error}; run arttl shards verify") from error
