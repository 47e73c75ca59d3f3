"""Rows of CSV and TSV files, with every message naming file, line and column."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arttl.characters import plain_text
from arttl.errors import ArttlError, counted, did_you_mean
from arttl.records.delimited_faults import DELIMITERS, faulty_cell, likely_header
from arttl.records.text_files import Encoding, Lines, detect_encoding, opened_lines

__all__ = [
    "Encoding",
    "OpenedTable",
    "Row",
    "detect_encoding",
    "matched_columns",
    "opened_table",
    "read_columns",
    "read_rows",
    "rows_of",
]

_LONGEST_CELL = 2**20  # characters
_SAMPLE = 50  # lines that the delimiter is determined from
_SHOWN = 40  # characters of a title, and half of those of a header, in a message
_SAMPLE_CHARACTERS = 2**20  # after which no further line is added to it
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\w\r\n ])"?[,;\t]*[\r\n]*\Z', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        location: for messages: `line 3`, the number of its last line in the file, or `row 3`; from 1.
        cells: column name to text; columns that a short row lacks are empty.
        problem: what is wrong with the row as a whole; empty where nothing is.
        lists: column name to the texts of a cell that holds several, in files that know lists.
        lacking: how many cells the row has fewer than the header.
    """

    location: str
    cells: dict[str, str]
    problem: str = ""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lacking: int = 0


def read_rows(
    path: Path, required: Iterable[tuple[str, str]], *, flag: str = "--metadata", encoding: str | None = None
) -> Iterator[Row]:
    """Read a delimited text file, row by row.

    UTF-8, with or without a byte order mark, UTF-16 with one, or the encoding that is given; quoted as RFC 4180 has it.
    The delimiter is a tab in `.tsv` and `.tab`, the one that a first line `sep=;` names, and elsewhere the one of
    comma, semicolon, tab and vertical bar by which the first rows have as many cells as the header, and the header the
    most. A cell has at most 1,048,576 characters. Columns are named as `required` spells them.

    Args:
        path: the file.
        required: columns that the file must have, each as the flag that named it and its name.
        flag: the one that named the file.
        encoding: one of `ENCODINGS`.

    Raises:
        ArttlError: if the file is missing, is not such a file, has no rows, or lacks a column.
    """
    with opened_table(path, flag, encoding) as table:
        columns = matched_columns(path, table.columns, required)
        yield from _rows(table, columns)


def read_columns(path: Path, *, flag: str = "--metadata", encoding: str | None = None) -> list[str]:
    """The columns that the first row of a delimited text file names.

    Raises:
        ArttlError: if the file is missing or is not such a file.
    """
    with opened_table(path, flag, encoding) as table:
        return table.columns


@dataclass
class OpenedTable:
    """An opened file.

    Attributes:
        path: the file.
        flag: the one that named it.
        encoding: the one that was given.
        delimiter: between cells.
        lines: of the file.
        reader: of the rows after the header.
        columns: the header.
        header: its cells as they are.
        skipped: lines before the header.
        first_lines: the line before the header, which may be empty, and the first of the header.
    """

    path: Path
    flag: str
    encoding: str | None
    delimiter: str
    lines: Lines
    reader: Iterator[list[str]]
    columns: list[str]
    header: list[str]
    skipped: int
    first_lines: tuple[str, str]

    @property
    def line(self) -> int:
        """The number of the last line that was read as a row."""
        return self.skipped + int(self.reader.line_num)  # type: ignore[attr-defined]


@contextmanager
def opened_table(path: Path, flag: str, encoding: str | None) -> Iterator[OpenedTable]:
    """The file with its header read.

    Raises:
        ArttlError: if it is missing or is not such a file.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    with opened_lines(path, flag, encoding) as lines:
        rest = iter(lines)
        sample: list[str] = []
        for line in itertools.islice(rest, _SAMPLE):
            sample.append(line)
            if sum(map(len, sample)) > _SAMPLE_CHARACTERS:
                break
        separator = _SEPARATOR_LINE.match(sample[0]) if sample else None
        delimiter = separator[1] if separator else ""
        skipped = int(bool(separator))
        before = "".join(sample[:skipped])
        sample = sample[skipped:]
        if not any(line.strip() for line in sample):
            raise ArttlError(f"{path} is empty; its first line must name the columns")
        if not sample[0].strip():
            raise ArttlError(
                f"line {skipped + 1} of {path} is blank; the first line must name the columns"
                f"{_header_below(sample, skipped)}"
            )
        if not delimiter:
            delimiter = _delimiter(path, sample)
        reader = csv.reader(itertools.chain(sample, rest), delimiter=delimiter, strict=True)
        table = OpenedTable(
            path, flag, encoding, delimiter, lines, reader, [], [], skipped, (before, sample[0])
        )
        try:
            table.header = next(reader)
            table.columns = [plain_text(name) for name in table.header]
        except csv.Error as error:
            raise _not_well_formed(table, skipped, error) from error
        if lines.with_nul and lines.with_nul[0] <= table.line:
            raise ArttlError(
                f"line {lines.with_nul[0]} of {path} holds a NUL byte; its first line must name the columns"
            )
        named = [name for name in table.columns if name]
        # A title may have a mark in it that is the delimiter of no other line.
        other_than = delimiter if _fit(sample, delimiter)[0] == 0.0 and len(named) > 1 else ""
        if (len(named) < 2 or other_than) and (below := _header_below(sample, skipped, other_than)):
            shown = ", ".join(named)[: 2 * _SHOWN] or "none"
            raise ArttlError(f"line {table.line} of {path} names too few columns ({shown}){below}")
        if not named:
            raise ArttlError(
                f"line {table.line} of {path} names no column; the first line must name the columns"
            )
        yield table


def _rows(table: OpenedTable, columns: list[str]) -> Iterator[Row]:
    empty = True
    with_nul = table.lines.with_nul
    for cells, line in rows_of(table):
        empty = False
        problem = ""
        if len(cells) > len(columns):
            problem = f"the row has {counted(len(cells), 'cell')} where the header has {len(columns)}"
        while with_nul and with_nul[0] <= line:
            with_nul.popleft()
            problem = "the row holds a NUL byte"
        lacking = max(0, len(columns) - len(cells))
        cells += [""] * lacking
        yield Row(f"line {line}", dict(zip(columns, cells, strict=False)), problem, lacking=lacking)
    if empty:
        raise ArttlError(f"{table.path} has a header and no rows")


def rows_of(table: OpenedTable) -> Iterator[tuple[list[str], int]]:
    """The cells of each row that is not blank, and the number of its last line.

    Raises:
        ArttlError: for a row that is not well-formed.
    """
    while True:
        line = table.line
        try:
            cells = next(table.reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _not_well_formed(table, line, error) from error
        if any(cell.strip() for cell in cells):
            yield cells, table.line


def _not_well_formed(table: OpenedTable, line: int, error: csv.Error) -> ArttlError:
    """The sentence for an error of the reader, after the line of that number was read."""
    with opened_lines(table.path, table.flag, table.encoding) as lines:
        cell = faulty_cell(itertools.islice(lines, line, None), table.delimiter, 2 * _LONGEST_CELL)
    if cell is not None:
        begins = (
            f"a cell begins with a quotation mark in line {line + cell.line} of {table.path} ({cell.text})"
        )
        if not cell.end:
            return ArttlError(f"{begins} and is not closed by another; close it, or leave the mark out")
        where = "there" if cell.end == cell.line else f"in line {line + cell.end}"
        return ArttlError(
            f"{begins}, and the next one, {where}, does not end it; close it, or double the quotation marks within it"
        )
    where = f"line {line + 1} or later of {table.path}"
    if "field larger than" in str(error):
        return ArttlError(f"{where} has a cell of more than {_LONGEST_CELL:,} characters")
    return ArttlError(f"{where} is not well-formed: {error}")


def _header_below(sample: list[str], skipped: int, other_than: str = "") -> str:
    """A clause on the line below the first that looks like a header with another delimiter; empty if none does."""
    header = likely_header(sample)
    if header is None or header.line == 1 or header.delimiter == other_than:
        return ""
    columns = ", ".join(filter(None, header.columns))
    shown = columns if len(columns) <= 2 * _SHOWN else f"{columns[: 2 * _SHOWN]}..."
    return f"; line {skipped + header.line} looks like the header ({shown}): delete the lines above it"


def _delimiter(path: Path, sample: list[str]) -> str:
    """The delimiter by which the rows of the first lines fit their header best, and of these the one of most columns.

    Raises:
        ArttlError: if two do equally well, or the file's name says tabs and it has others instead.
    """
    by_name = path.suffix.lower() in (".tsv", ".tab")
    if by_name and "\t" in sample[0]:
        return "\t"
    scores = {delimiter: _fit(sample, delimiter) for delimiter in DELIMITERS}
    best = max(scores.values())
    candidates = [delimiter for delimiter, score in scores.items() if score == best]
    if len(candidates) > 1 and best[1] > 1:
        kinds = " or ".join(DELIMITERS[delimiter] for delimiter in candidates)
        raise ArttlError(
            f"the columns of {path} may be divided by {kinds}; put a line such as sep={candidates[-1]} before the first"
        )
    if by_name and best[0] > 0.5:
        raise ArttlError(
            f"{path} is divided by {DELIMITERS[candidates[0]]}, not by the tabs that its name stands for; name it *.csv"
        )
    return "\t" if by_name else candidates[0]


def _fit(sample: list[str], delimiter: str) -> tuple[float, int]:
    """The share of rows that have as many cells as the header, and the number of these; 0 where there is one column."""
    rows: list[int] = []
    try:
        for cells in csv.reader(sample, delimiter=delimiter, strict=True):
            if any(cell.strip() for cell in cells):
                rows.append(len(cells))
    except csv.Error:
        pass  # another delimiter, or the sample ends within a row
    if not rows or rows[0] < 2:
        return 0.0, 0
    others = rows[1:]
    return (sum(cells == rows[0] for cells in others) / len(others) if others else 1.0), rows[0]


def matched_columns(path: Path, columns: list[str], required: Iterable[tuple[str, str]]) -> list[str]:
    """The file's columns, those that are required spelled as the flags spell them.

    They are compared as `plain_text` makes them, so that composed and decomposed letters are the same.

    Args:
        path: the file.
        columns: its own, as `plain_text` makes them.
        required: columns that it must have exactly once, each as the flag that named it and its name.

    Raises:
        ArttlError: naming the first that it has not.
    """
    counts = Counter(columns)
    spelled: dict[str, str] = {}
    for flag, column in required:
        name = plain_text(column)
        if not counts[name]:
            known = ", ".join(name for name in columns if name)
            raise ArttlError(
                f"{path} has no column {column!r} ({flag}){did_you_mean(name, columns)}; it has: {known}"
            )
        if counts[name] > 1:
            raise ArttlError(f"{path} has two columns {column!r} ({flag}); rename one of them")
        if spelled.setdefault(name, column) != column:
            raise ArttlError(
                f"the column {column!r} ({flag}) is spelled with other characters in another flag"
            )
    return [spelled.get(name, name) for name in columns]
