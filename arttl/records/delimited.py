"""Rows of CSV and TSV files, with every message naming file, line and column."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arttl.errors import ArttlError, did_you_mean
from arttl.records.reading import readable


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        location: for messages: `line 3`, the number of its last line in the file, or `row 3`; from 1.
        cells: column name to text; columns that a short row lacks are empty.
        problem: what is wrong with the row as a whole; empty where nothing is.
        lists: column name to the texts of a cell that holds several, in files that know lists.
    """

    location: str
    cells: dict[str, str]
    problem: str = ""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_rows(path: Path, required: Iterable[tuple[str, str]], *, flag: str = "--metadata") -> Iterator[Row]:
    """Read a delimited text file, row by row.

    UTF-8, with or without a byte order mark; quoted as RFC 4180 has it. The delimiter is a tab in `.tsv` and
    `.tab`, and elsewhere whichever of comma, semicolon and tab gives the header the most columns.

    Args:
        path: the file.
        required: columns that the file must have, each as the flag that named it and its name.
        flag: the one that named the file.

    Raises:
        ArttlError: if the file is missing, is not such a file, has no rows, or lacks a column.
    """
    with _opened(path, flag) as (reader, columns):
        check_columns(path, columns, required)
        yield from _rows(path, reader, columns)


def read_columns(path: Path, *, flag: str = "--metadata") -> list[str]:
    """The columns that the first line of a delimited text file names.

    Raises:
        ArttlError: if the file is missing or is not such a file.
    """
    with _opened(path, flag) as (_, columns):
        return columns


@contextmanager
def _opened(path: Path, flag: str) -> Iterator[tuple[Iterator[list[str]], list[str]]]:
    """A reader of the rows after the header, and the header."""
    try:
        with readable(path, flag), path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            if not first.strip():
                raise ArttlError(f"{path} is empty; its first line must name the columns")
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(path, first), strict=True)
            yield reader, [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise ArttlError(f"line 1 or later of {path} is not well-formed: {error}") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ArttlError(
            f"{path} is not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8, in Excel as 'CSV UTF-8'"
        ) from error


def _rows(path: Path, reader: Iterator[list[str]], columns: list[str]) -> Iterator[Row]:
    line = 1
    empty = True
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise ArttlError(f"line {line + 1} or later of {path} is not well-formed: {error}") from error
        line = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        empty = False
        problem = ""
        if len(cells) > len(columns):
            problem = f"the row has {len(cells)} cells where the header has {len(columns)}"
        cells += [""] * (len(columns) - len(cells))
        yield Row(f"line {line}", dict(zip(columns, cells, strict=False)), problem)
    if empty:
        raise ArttlError(f"{path} has a header and no rows")


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t", key=lambda delimiter: len(next(csv.reader([header], delimiter=delimiter))))


def check_columns(path: Path, columns: list[str], required: Iterable[tuple[str, str]]) -> None:
    """Check that the file has every required column, given as flag and name, exactly once.

    Raises:
        ArttlError: naming the first that is not.
    """
    counts = Counter(columns)
    for flag, column in required:
        if not counts[column]:
            known = ", ".join(name for name in columns if name)
            raise ArttlError(
                f"{path} has no column {column!r} ({flag}){did_you_mean(column, columns)}; it has: {known}"
            )
        if counts[column] > 1:
            raise ArttlError(f"{path} has two columns {column!r} ({flag}); rename one of them")
