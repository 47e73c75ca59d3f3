"""Where a delimited text file is not a table: lines above its header, and quotation marks that do not close."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from arttl.characters import plain_text

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

_LEAST_SHARE = 0.9  # of the rows below a header that have as many cells
_SHOWN = 40  # characters of a cell
_LEAST_SWALLOWED = 3  # delimiters
_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*"')


class LikelyHeader(NamedTuple):
    """A row that looks like a header.

    Attributes:
        line: the number of its last line among those that were looked at, from 1.
        columns: its cells.
        delimiter: between them.
    """

    line: int
    columns: list[str]
    delimiter: str


def likely_header(sample: Sequence[str]) -> LikelyHeader | None:
    """The first row with as many cells as nearly all below it and a different name in the most of them.

    Args:
        sample: the first lines of a file, with their ends.

    Returns:
        That of the delimiter by which it has the most cells; None if no row has two.
    """
    candidates = filter(None, (_likely_header(sample, delimiter) for delimiter in DELIMITERS))
    return max(candidates, key=lambda header: len(header.columns), default=None)


def _likely_header(sample: Sequence[str], delimiter: str) -> LikelyHeader | None:
    rows = []
    reader = csv.reader(sample, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            rows.append(LikelyHeader(reader.line_num, [plain_text(cell) for cell in cells], delimiter))
    except csv.Error:
        pass  # another delimiter, or the sample ends within a row
    rows = [row for row in rows if any(row.columns)]
    width, _ = Counter(len(row.columns) for row in rows).most_common(1)[0] if rows else (0, 0)
    fitting = [row for row in rows if len(row.columns) == width]
    header = max(fitting, key=lambda row: len({*row.columns} - {""}), default=None)
    if header is None or width < 2 or len({*header.columns} - {""}) < 2:
        return None
    below = [len(row.columns) == width for row in rows if row.line > header.line]
    return header if not below or sum(below) >= _LEAST_SHARE * len(below) else None


def holds_rows(cells: Sequence[str], width: int, delimiter: str) -> bool:
    """Whether a cell with line breaks has swallowed rows, since its quotation mark is closed by one of a later row.

    Each of its lines then has as many cells as the header, together with the cells before and after it.

    Args:
        cells: of the row.
        width: cells of the header.
        delimiter: between them.
    """
    for index, cell in enumerate(cells):
        if "\n" not in cell and "\r" not in cell:
            continue
        first, *middle, last = _LINE_END.split(cell)
        behind = len(cells) - index - 1
        counts = [index + first.count(delimiter), *(line.count(delimiter) for line in middle)]
        counts.append(last.count(delimiter) + behind)
        # Two lines of a few commas may be text.
        if set(counts) == {width - 1} and cell.count(delimiter) >= _LEAST_SWALLOWED:
            return True
    return False


class QuotedCell(NamedTuple):
    """A cell in quotation marks that is not well-formed.

    Attributes:
        line: the number of the line that it begins in, among those that were looked at, from 1.
        end: the number of the line of its closing quotation mark; 0 if there is none.
        text: its beginning, for a message.
    """

    line: int
    end: int
    text: str


def faulty_cell(lines: Iterable[str], delimiter: str, most: int) -> QuotedCell | None:
    """The first cell in quotation marks that is not closed, or not followed by a delimiter or a line's end.

    Args:
        lines: from the first of a row on, with their ends.
        delimiter: of the file.
        most: characters that are looked at.
    """
    parts, size = [], 0
    for line in lines:
        parts.append(line)
        size += len(line)
        if size > most:
            break
    text, position = "".join(parts), 0
    unquoted = re.compile(f"[^{re.escape(delimiter)}\r\n]*")
    while position < len(text):
        if text[position] == '"':
            quoted = _QUOTED.match(text, position)
            end = quoted.end() if quoted else len(text)
            if quoted is None or text[end : end + 1] not in ("", delimiter, "\r", "\n"):
                begins = _line_of(text, position)
                shown = plain_text(text[position : position + _SHOWN])
                return QuotedCell(begins, _line_of(text, end) if quoted else 0, shown)
        else:
            match = unquoted.match(text, position)
            end = match.end() if match else position
        position = end + 1 + (text[end : end + 2] == "\r\n")
    return None


def _line_of(text: str, position: int) -> int:
    return 1 + len(_LINE_END.findall(text, 0, position))
