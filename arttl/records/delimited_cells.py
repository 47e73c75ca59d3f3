"""Delimited text as it is written, for a table that is written again with further columns."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from arttl.records.delimited import opened_table, rows_of
from arttl.records.text_files import ENCODINGS

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@dataclass(frozen=True)
class Layout:
    """How a delimited text file is written.

    Attributes:
        columns: the cells of its header, as they are.
        delimiter: between cells.
        newline: after a row.
        codec: Python's, without a byte order mark.
        before: the bytes before the header: a byte order mark, and a line such as `sep=;`.
    """

    columns: tuple[str, ...]
    delimiter: str
    newline: str
    codec: str
    before: bytes


def read_layout(path: Path, *, encoding: str | None = None) -> Layout:
    """How a file is written that `read_rows` can read.

    Args:
        path: the file.
        encoding: one of `ENCODINGS`, as for `read_rows`.

    Raises:
        ArttlError: if it is no such file.
    """
    with opened_table(path, "--metadata", encoding) as table:
        header, delimiter, first = table.header, table.delimiter, table.first_lines
        codec = ENCODINGS[table.lines.encoding]
    with path.open("rb") as file:
        head = file.read(4)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    codec = _MARKS.get(mark, "utf-8" if codec == "utf-8-sig" else codec)
    separator, ended = first
    return Layout(
        columns=tuple(header),
        delimiter=delimiter,
        newline="\r\n" if ended.endswith("\r\n") else "\n",
        codec=codec,
        before=mark + separator.encode(codec),
    )


def read_cells(path: Path, *, encoding: str | None = None) -> Iterator[Sequence[str]]:
    """The cells of each row that `read_rows` gives, in the same order, as they are; a row may be short or long.

    Raises:
        ArttlError: as `read_rows`.
    """
    with opened_table(path, "--metadata", encoding) as table:
        for cells, _ in rows_of(table):
            yield cells
